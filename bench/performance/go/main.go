// The official Go client under the load that the other programs make: the same questions, the same answers.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

type task struct {
	ID         string   `json:"id"`
	Workload   string   `json:"workload"`
	Prefix     string   `json:"prefix"`
	Keys       int      `json:"keys"`
	ValueBytes int      `json:"valueBytes"`
	Versions   int      `json:"versions"`
	Count      int      `json:"count"`
	TTLSeconds int64    `json:"ttlSeconds"`
	Flood      []string `json:"flood"`
	ServerPid  int      `json:"serverPid"`
}

type trial struct {
	InFlight      int     `json:"inFlight"`
	Seconds       float64 `json:"seconds"`
	MaxOperations int64   `json:"maxOperations"`
}

type figures map[string]float64

type measure func(trial) (figures, error)

var (
	ctx      = context.Background()
	endpoint = os.Args[1]
)

func main() {
	prepared := map[string]measure{}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	questions := make(chan []byte)
	go func() {
		for lines.Scan() {
			questions <- append([]byte(nil), lines.Bytes()...)
		}
		os.Exit(0)
	}()
	for line := range questions {
		measured, err := answer(line, prepared)
		said := map[string]any{"figures": measured}
		if err != nil {
			said = map[string]any{"error": err.Error()}
		}
		text, _ := json.Marshal(said)
		fmt.Println(string(text))
	}
}

func answer(line []byte, prepared map[string]measure) (figures, error) {
	question := struct {
		What  string          `json:"what"`
		Task  json.RawMessage `json:"task"`
		Trial trial           `json:"trial"`
	}{}
	if err := json.Unmarshal(line, &question); err != nil {
		return nil, err
	}
	if question.What == "measure" {
		var id string
		if err := json.Unmarshal(question.Task, &id); err != nil {
			return nil, err
		}
		return prepared[id](question.Trial)
	}
	var asked task
	if err := json.Unmarshal(question.Task, &asked); err != nil {
		return nil, err
	}
	run, err := prepare(asked)
	prepared[asked.ID] = run
	return figures{}, err
}

var shared *clientv3.Client

func newClient() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
}

func prepare(asked task) (measure, error) {
	switch asked.Workload {
	case "leases":
		return func(how trial) (figures, error) { return holdLeases(asked, how) }, nil
	case "history":
		return func(trial) (figures, error) { return catchUp(asked) }, nil
	case "start":
		return func(trial) (figures, error) { return firstAnswer(asked) }, nil
	case "memory":
		return func(trial) (figures, error) { return peakOfRange(asked) }, nil
	}
	if shared == nil {
		client, err := newClient()
		if err != nil {
			return nil, err
		}
		shared = client
	}
	if asked.Workload == "watch" {
		return prepareWatching(shared, asked)
	}
	return prepareOperation(shared, asked)
}

// Time and processor time between two moments.
type meter struct {
	startedAt time.Time
	cpu       time.Duration
}

func startMeter() meter { return meter{time.Now(), cpuTime()} }

func (m meter) stop(operations int64) figures {
	elapsed, cpu := time.Since(m.startedAt), cpuTime()-m.cpu
	return figures{
		"operations":     float64(operations),
		"perSecond":      float64(operations) / elapsed.Seconds(),
		"cpuUs":          float64(cpu.Microseconds()) / float64(max(1, operations)),
		"cpuMsPerSecond": float64(cpu.Milliseconds()) / elapsed.Seconds(),
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Counts for other processes, by the name of the figure. The function that it returns adds how many cores each kept busy.
func startOthers(others map[string]int) func(figures) figures {
	before := map[string]float64{}
	for name, pid := range others {
		before[name] = cpuSeconds(pid)
	}
	startedAt := time.Now()
	return func(measured figures) figures {
		seconds := time.Since(startedAt).Seconds()
		for name, pid := range others {
			if cores := (cpuSeconds(pid) - before[name]) / seconds; !math.IsNaN(cores) {
				measured[name] = cores
			}
		}
		return measured
	}
}

const tickSeconds = 0.01

// User and system time of a process so far, to a hundredth; NaN where nobody tells. See proc(5).
func cpuSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return math.NaN()
	}
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) * tickSeconds
}

func (f figures) withLatencies(times []time.Duration) figures {
	if len(times) == 0 {
		return f
	}
	sort.Slice(times, func(a, b int) bool { return times[a] < times[b] })
	at := func(share float64) float64 {
		return float64(times[min(len(times)-1, int(float64(len(times))*share))].Microseconds()) / 1000
	}
	f["p50Ms"], f["p99Ms"] = at(0.5), at(0.99)
	return f
}

// So many operations in flight, each followed by the next as soon as it has ended.
func closedLoop(how trial, operation func(index int64) error) (figures, error) {
	times := make([][]time.Duration, how.InFlight)
	failures := make([]error, how.InFlight)
	var started atomic.Int64
	var lanes sync.WaitGroup
	running := startMeter()
	endAt := running.startedAt.Add(time.Duration(how.Seconds * float64(time.Second)))
	for lane := range how.InFlight {
		lanes.Go(func() {
			for now := time.Now(); now.Before(endAt); {
				index := started.Add(1) - 1
				if index >= how.MaxOperations {
					return
				}
				startedAt := now
				if failures[lane] = operation(index); failures[lane] != nil {
					return
				}
				now = time.Now()
				times[lane] = append(times[lane], now.Sub(startedAt))
			}
		})
	}
	lanes.Wait()
	all := []time.Duration{}
	for _, some := range times {
		all = append(all, some...)
	}
	measured := running.stop(int64(len(all)))
	return measured.withLatencies(all), errors.Join(failures...)
}

func prepareOperation(client *clientv3.Client, asked task) (measure, error) {
	keys := make([]string, asked.Keys)
	for index := range keys {
		keys[index] = asked.Prefix + strconv.Itoa(index)
	}
	key := func(index int64) string { return keys[index%int64(len(keys))] }
	operation := operationOf(client, asked, key)
	if operation == nil {
		return nil, errors.New("unknown workload: " + asked.Workload)
	}
	var done int64
	return func(how trial) (figures, error) {
		first := done
		measured, err := closedLoop(how, func(index int64) error { return operation(first + index) })
		done += int64(measured["operations"])
		return measured, err
	}, nil
}

func operationOf(client *clientv3.Client, asked task, key func(int64) string) func(int64) error {
	value := strings.Repeat("v", asked.ValueBytes)
	exists := func(index int64) clientv3.Cmp { return clientv3.Compare(clientv3.Version(key(index)), ">", 0) }
	return map[string]func(int64) error{
		"get": func(index int64) error {
			response, err := client.Get(ctx, key(index))
			return errors.Join(err, textOf(response))
		},
		"put": func(index int64) error {
			_, err := client.Put(ctx, key(index), value)
			return err
		},
		"txn-read": func(index int64) error {
			reads := []clientv3.Op{clientv3.OpGet(key(index)), clientv3.OpGet(key(index + 1))}
			_, err := client.Txn(ctx).If(exists(index)).Then(reads...).Commit()
			return err
		},
		"txn-write": func(index int64) error {
			_, err := client.Txn(ctx).If(exists(index)).Then(clientv3.OpPut(key(index), value)).Commit()
			return err
		},
		"range": func(int64) error {
			response, err := client.Get(ctx, asked.Prefix, clientv3.WithPrefix())
			return errors.Join(err, textOf(response))
		},
	}[asked.Workload]
}

// Looks at each key and value as text.
func textOf(response *clientv3.GetResponse) error {
	if response == nil {
		return nil
	}
	length := 0
	for _, kv := range response.Kvs {
		length += len(string(kv.Key)) + len(string(kv.Value))
	}
	if length == 0 {
		return errors.New("nothing is there")
	}
	return nil
}

const (
	loneWrites     = 50
	mostPutsPerTxn = 100
	ahead          = 32
	step           = 8
)

// A transaction writes no key twice.
func putsPerTxn(asked task) int {
	if asked.Count == 1 {
		return mostPutsPerTxn
	}
	return min(mostPutsPerTxn, asked.Count)
}

func prepareWatching(client *clientv3.Client, asked task) (measure, error) {
	prefix := fmt.Sprintf("%s%d/", asked.Prefix, os.Getpid())
	events := make(chan int, 1024)
	read := func(channel clientv3.WatchChan) {
		for response := range channel {
			for _, event := range response.Events {
				_ = string(event.Kv.Value)
			}
			if len(response.Events) > 0 {
				events <- len(response.Events)
			}
		}
	}
	for index := range asked.Count {
		options := []clientv3.OpOption{clientv3.WithCreatedNotify()}
		key := prefix + strconv.Itoa(index)
		if asked.Count == 1 {
			key, options = prefix, append(options, clientv3.WithPrefix())
		}
		channel := client.Watch(ctx, key, options...)
		<-channel
		go read(channel)
	}
	allow, writerPid, err := startFlood(asked, prefix)
	others := map[string]int{"serverCores": asked.ServerPid, "writerCores": writerPid}
	return func(how trial) (figures, error) {
		times, err := lone(client, prefix+"0", min(loneWrites, how.MaxOperations), events)
		stopOthers := startOthers(others)
		return stopOthers(flooded(how, events, allow, putsPerTxn(asked))).withLatencies(times), err
	}, err
}

// Catches up once, by a client of its own: from the creation of the first watch to the last event.
func catchUp(asked task) (figures, error) {
	client, err := newClient()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if _, err := client.Get(ctx, asked.Prefix+"0"); err != nil {
		return nil, err
	}
	runtime.GC()
	time.Sleep(settleCatchUp)
	running, stopOthers := startMeter(), startOthers(map[string]int{"serverCores": asked.ServerPid})
	total := readAll(client, asked)
	return stopOthers(running.stop(total)), nil
}

// One watch on all keys, or as many as are asked for, each on one of them. Returns how many events there were.
func readAll(client *clientv3.Client, asked task) int64 {
	events := make(chan int, 1024)
	done := make(chan struct{})
	defer close(done)
	for index := range asked.Count {
		key, options := asked.Prefix+strconv.Itoa(index), []clientv3.OpOption{clientv3.WithRev(1)}
		if asked.Count == 1 {
			key, options = asked.Prefix, append(options, clientv3.WithPrefix())
		}
		go func() {
			for response := range client.Watch(ctx, key, options...) {
				for _, event := range response.Events {
					_ = string(event.Kv.Value)
				}
				select {
				case events <- len(response.Events):
				case <-done:
					return
				}
			}
		}()
	}
	total := asked.Count * asked.Versions
	if asked.Count == 1 {
		total = asked.Keys * asked.Versions
	}
	for received := 0; received < total; {
		received += <-events
	}
	return int64(total)
}

func lone(client *clientv3.Client, key string, writes int64, events <-chan int) ([]time.Duration, error) {
	times := make([]time.Duration, 0, writes)
	for range writes {
		startedAt := time.Now()
		failed := make(chan error, 1)
		go func() {
			_, err := client.Put(ctx, key, "lone")
			failed <- err
		}()
		<-events
		times = append(times, time.Since(startedAt))
		if err := <-failed; err != nil {
			return nil, err
		}
	}
	return times, nil
}

func flooded(how trial, events <-chan int, allow func(int), perTxn int) figures {
	running := startMeter()
	endAt := running.startedAt.Add(time.Duration(how.Seconds * float64(time.Second)))
	allowed, received, answered := ahead, 0, 0
	allow(allowed)
	for received < allowed*perTxn {
		received += <-events
		for ; answered+step*perTxn <= received; answered += step * perTxn {
			if time.Now().Before(endAt) && int64(received) < how.MaxOperations {
				allow(step)
				allowed += step
			}
		}
	}
	return running.stop(int64(received))
}

func startFlood(asked task, prefix string) (func(int), int, error) {
	sizes := []string{strconv.Itoa(max(asked.Count, putsPerTxn(asked))), strconv.Itoa(putsPerTxn(asked)), strconv.Itoa(asked.ValueBytes)}
	arguments := append(append([]string{}, asked.Flood[1:]...), append([]string{prefix}, sizes...)...)
	command := exec.Command(asked.Flood[0], arguments...)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return nil, 0, err
	}
	allow := func(transactions int) {
		if _, err := input.Write([]byte(strings.Repeat(".", transactions))); err != nil {
			panic(err)
		}
	}
	if err := command.Start(); err != nil {
		return nil, 0, err
	}
	return allow, command.Process.Pid, nil
}

const (
	granting      = 64
	settle        = 300 * time.Millisecond
	settleCatchUp = 50 * time.Millisecond
)

func holdLeases(asked task, how trial) (figures, error) {
	client, err := newClient()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var granted, renewals atomic.Int64
	failures := make([]error, granting)
	var lanes sync.WaitGroup
	for lane := range granting {
		lanes.Go(func() {
			for failures[lane] == nil && granted.Add(1) <= int64(asked.Count) {
				failures[lane] = keepAlive(client, asked.TTLSeconds, &renewals)
			}
		})
	}
	lanes.Wait()
	time.Sleep(settle)
	before, running := renewals.Load(), startMeter()
	time.Sleep(time.Duration(how.Seconds * float64(time.Second)))
	for renewals.Load() == before && errors.Join(failures...) == nil {
		time.Sleep(settle)
	}
	return running.stop(renewals.Load() - before), errors.Join(failures...)
}

func keepAlive(client *clientv3.Client, ttlSeconds int64, renewals *atomic.Int64) error {
	lease, err := client.Grant(ctx, ttlSeconds)
	if err != nil {
		return err
	}
	answers, err := client.KeepAlive(ctx, lease.ID)
	if err != nil {
		return err
	}
	go func() {
		for range answers {
			renewals.Add(1)
		}
	}()
	return nil
}

func firstAnswer(asked task) (figures, error) {
	startedAt := time.Now()
	client, err := newClient()
	if err != nil {
		return nil, err
	}
	_, err = client.Get(ctx, asked.Prefix+"0")
	took := time.Since(startedAt)
	runtime.GC()
	debug.FreeOSMemory()
	return figures{
		"operations":    1,
		"firstAnswerMs": float64(took.Microseconds()) / 1000,
		"residentMiB":   statusMiB("VmRSS"),
	}, err
}

// How much higher than before the memory is at most while a range is read.
func peakOfRange(asked task) (figures, error) {
	client, err := newClient()
	if err != nil {
		return nil, err
	}
	if _, err := client.Get(ctx, asked.Prefix+"0"); err != nil {
		return nil, err
	}
	runtime.GC()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return nil, err
	}
	before, startedAt := statusMiB("VmHWM"), time.Now()
	response, err := client.Get(ctx, asked.Prefix, clientv3.WithPrefix())
	if err == nil {
		err = textOf(response)
	}
	return figures{
		"operations": 1,
		"peakMiB":    statusMiB("VmHWM") - before,
		"seconds":    time.Since(startedAt).Seconds(),
	}, err
}

func statusMiB(field string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	found := regexp.MustCompile(field + `:\s*(\d+)`).FindSubmatch(text)
	kib, _ := strconv.ParseFloat(string(found[1]), 64)
	return kib / 1024
}
