// One user of Go's own naming packages: does one thing with the endpoints of a target, and says what came of it.
//
// Usage: naming-go ENDPOINT WHAT TARGET [NAME ADDRESS METADATA]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	endpoint, what, target := os.Args[1], os.Args[2], os.Args[3]
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	check(err)
	defer client.Close()
	manager, err := endpoints.NewManager(client, target)
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	run, known := actions[what]
	if !known {
		check(errors.New("unknown: " + what))
	}
	check(run(ctx, client, manager, target, os.Args[4:]))
}

type action = func(context.Context, *clientv3.Client, endpoints.Manager, string, []string) error

var actions = map[string]action{
	"add": func(ctx context.Context, _ *clientv3.Client, manager endpoints.Manager, target string, args []string) error {
		endpoint := endpoints.Endpoint{Addr: args[1]}
		if len(args) > 2 {
			check(json.Unmarshal([]byte(args[2]), &endpoint.Metadata))
		}
		return manager.AddEndpoint(ctx, target+"/"+args[0], endpoint)
	},
	"delete": func(ctx context.Context, _ *clientv3.Client, manager endpoints.Manager, target string, args []string) error {
		return manager.DeleteEndpoint(ctx, target+"/"+args[0])
	},
	"list": func(ctx context.Context, _ *clientv3.Client, manager endpoints.Manager, _ string, _ []string) error {
		list, err := manager.List(ctx)
		check(err)
		keys := make([]string, 0, len(list))
		for key := range list {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			metadata, err := json.Marshal(list[key].Metadata)
			check(err)
			fmt.Println(key, list[key].Addr, string(metadata))
		}
		return nil
	},
	// Asks the gRPC server that is found for the target for its name. Its answer is a message with one text, number 1.
	"ask": func(ctx context.Context, client *clientv3.Client, _ endpoints.Manager, target string, _ []string) error {
		builder, err := resolver.NewBuilder(client)
		check(err)
		plain := grpc.WithTransportCredentials(insecure.NewCredentials())
		connection, err := grpc.NewClient("etcd:///"+target, grpc.WithResolvers(builder), plain)
		check(err)
		defer connection.Close()
		name := &wrapperspb.StringValue{}
		check(connection.Invoke(ctx, "/who.Who/Am", &emptypb.Empty{}, name))
		fmt.Println(name.Value)
		return nil
	},
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
