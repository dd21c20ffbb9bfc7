// One participant that uses etcd's own Go packages: does one thing, says so on a line, and ends it on SIGTERM.
//
// Usage: concurrency-go ENDPOINT WHAT NAME [VALUE]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	recipe "go.etcd.io/etcd/client/v3/experimental/recipes"
)

const ttlSeconds = 5

func main() {
	endpoint, what, name := os.Args[1], os.Args[2], os.Args[3]
	value := ""
	if len(os.Args) > 4 {
		value = os.Args[4]
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	check(err)
	defer client.Close()
	run, known := actions[what]
	if !known {
		check(errors.New("unknown: " + what))
	}
	check(run(client, name, value))
}

var actions = map[string]func(*clientv3.Client, string, string) error{
	"lock": func(client *clientv3.Client, name, _ string) error {
		return withSession(client, func(session *concurrency.Session) error {
			mutex := concurrency.NewMutex(session, name)
			check(mutex.Lock(context.Background()))
			say("locked", mutex.Key(), mutex.Header().Revision)
			untilTold()
			return mutex.Unlock(context.Background())
		})
	},
	"trylock": func(client *clientv3.Client, name, _ string) error {
		return withSession(client, func(session *concurrency.Session) error {
			err := concurrency.NewMutex(session, name).TryLock(context.Background())
			if errors.Is(err, concurrency.ErrLocked) {
				say("busy")
				return nil
			}
			say("locked")
			return err
		})
	},
	"rlock": func(client *clientv3.Client, name, _ string) error {
		return withSession(client, func(session *concurrency.Session) error {
			mutex := recipe.NewRWMutex(session, name)
			check(mutex.RLock())
			say("locked")
			untilTold()
			return mutex.RUnlock()
		})
	},
	"wlock": func(client *clientv3.Client, name, _ string) error {
		return withSession(client, func(session *concurrency.Session) error {
			mutex := recipe.NewRWMutex(session, name)
			check(mutex.Lock())
			say("locked")
			untilTold()
			return mutex.Unlock()
		})
	},
	"elect": func(client *clientv3.Client, name, value string) error {
		return withSession(client, func(session *concurrency.Session) error {
			election := concurrency.NewElection(session, name)
			check(election.Campaign(context.Background(), value))
			say("elected", election.Key(), election.Rev())
			untilTold()
			return election.Resign(context.Background())
		})
	},
	"observe": func(client *clientv3.Client, name, _ string) error {
		return withSession(client, func(session *concurrency.Session) error {
			context, cancel := context.WithCancel(context.Background())
			leaders := concurrency.NewElection(session, name).Observe(context)
			go func() {
				for leader := range leaders {
					say("leader", string(leader.Kvs[0].Value))
				}
			}()
			untilTold()
			cancel()
			return nil
		})
	},
	"increment": func(client *clientv3.Client, name, times string) error {
		count, err := strconv.Atoi(times)
		check(err)
		for index := 0; index < count; index++ {
			_, err := concurrency.NewSTM(client, func(stm concurrency.STM) error {
				number, _ := strconv.Atoi(stm.Get(name))
				stm.Put(name, strconv.Itoa(number+1))
				return nil
			})
			check(err)
		}
		say("incremented")
		return nil
	},
	"enqueue": func(client *clientv3.Client, name, value string) error {
		defer say("enqueued")
		return recipe.NewQueue(client, name).Enqueue(value)
	},
	"dequeue": func(client *clientv3.Client, name, _ string) error {
		value, err := recipe.NewQueue(client, name).Dequeue()
		say("dequeued", value)
		return err
	},
	"enqueue5": func(client *clientv3.Client, name, value string) error {
		defer say("enqueued")
		return recipe.NewPriorityQueue(client, name).Enqueue(value, 5)
	},
	"dequeue-first": func(client *clientv3.Client, name, _ string) error {
		value, err := recipe.NewPriorityQueue(client, name).Dequeue()
		say("dequeued", value)
		return err
	},
	"barrier": func(client *clientv3.Client, name, _ string) error {
		defer say("through")
		return recipe.NewBarrier(client, name).Wait()
	},
	"double-barrier": func(client *clientv3.Client, name, count string) error {
		return withSession(client, func(session *concurrency.Session) error {
			participants, err := strconv.Atoi(count)
			check(err)
			barrier := recipe.NewDoubleBarrier(session, name, participants)
			check(barrier.Enter())
			say("entered")
			untilTold()
			check(barrier.Leave())
			say("left")
			return nil
		})
	},
}

func withSession(client *clientv3.Client, use func(*concurrency.Session) error) error {
	session, err := concurrency.NewSession(client, concurrency.WithTTL(ttlSeconds))
	check(err)
	defer session.Close()
	return use(session)
}

func untilTold() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
}

func say(words ...any) {
	fmt.Println(words...)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "failed:", err)
		os.Exit(1)
	}
}
