/** RPC metrics: names, labels and numbers as go-grpc-prometheus has them, in whatever registry. */
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AggregatorRegistry, Counter, Histogram, register, Registry, type OpenMetricsContentType } from 'prom-client';
import {
  EtcdConfigError,
  EtcdNoLeaderError,
  EtcdUnavailableError,
  type EtcdCall,
  type EtcdClient,
  type EtcdClientStats,
} from '../../../lib/client/index.js';
import { RANGE, WATCH } from '../../../lib/client/rpc/methods.js';
import type { MethodInfo } from '../../../lib/client/index.js';
import { etcdMetricsInterceptor, observeEtcdClients, type EtcdMetricsOptions } from '../../../lib/metrics/index.js';
import { EtcdModuleError } from '../../../lib/nest/errors.js';

let registry: Registry;

beforeEach(() => {
  registry = new Registry();
});

function callOf(method: MethodInfo, client = 'default'): EtcdCall {
  return { client, method, metadata: new Map(), request: undefined };
}

async function run(options: EtcdMetricsOptions, next: () => Promise<unknown>, client?: string): Promise<unknown> {
  return etcdMetricsInterceptor(options).unary!(callOf(RANGE, client), next);
}

/** The series of the registry that match, as they are scraped. */
async function series(pattern: RegExp): Promise<string[]> {
  const text = await registry.metrics();
  return text.split('\n').filter((line) => !line.startsWith('#') && pattern.test(line));
}

/** Runs a call on a clock that stands still and then jumps. */
async function takes(durationMs: number, call: () => Promise<unknown>): Promise<void> {
  const now = jest.spyOn(performance, 'now').mockReturnValueOnce(0).mockReturnValue(durationMs);
  try {
    await call();
  } finally {
    now.mockRestore();
  }
}

/** What two processes with these figures show together. */
async function together(of: Registry, name: string): Promise<string> {
  const figures = (await of.getMetricsAsJSON()).filter((metric) => metric.name === name);
  return AggregatorRegistry.aggregate([figures, figures]).metrics();
}

const RANGE_LABELS = 'client="default",grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Range"';

describe('etcdMetricsInterceptor', () => {
  it('counts a call that succeeds', async () => {
    const answer = await run({ registry }, () => Promise.resolve('answer'));

    expect(answer).toBe('answer');
    expect(await series(/_total/)).toEqual([
      `grpc_client_started_total{${RANGE_LABELS}} 1`,
      `grpc_client_msg_sent_total{${RANGE_LABELS}} 1`,
      `grpc_client_msg_received_total{${RANGE_LABELS}} 1`,
      `grpc_client_handled_total{${RANGE_LABELS},grpc_code="OK"} 1`,
    ]);
    expect(await series(/handling_seconds_count/)).toEqual([`grpc_client_handling_seconds_count{${RANGE_LABELS}} 1`]);
  });

  it('counts a call that fails by its code, and lets the error through', async () => {
    const noLeader = new EtcdNoLeaderError({ reason: 'NoLeader', serverMessage: 'no leader' }, { grpcCode: 14 });

    await expect(run({ registry }, () => Promise.reject(noLeader))).rejects.toBe(noLeader);

    expect(await series(/handled_total/)).toEqual([
      `grpc_client_handled_total{${RANGE_LABELS},grpc_code="Unavailable"} 1`,
    ]);
    expect(await series(/received_total/)).toEqual([`grpc_client_msg_received_total{${RANGE_LABELS}} 0`]);
  });

  it('measures seconds', async () => {
    await run({ registry, buckets: [0.01, 1] }, () => new Promise((resolve) => setTimeout(resolve, 30)));

    expect(await series(/_bucket/)).toEqual([
      expect.stringMatching(/le="0\.01".* 0$/),
      expect.stringMatching(/le="1".* 1$/),
      expect.stringMatching(/le="\+Inf".* 1$/),
    ]);
  });

  it('counts each message of a stream, and its end', async () => {
    const observer = etcdMetricsInterceptor({ registry }).stream!(callOf(WATCH));
    observer?.sent?.();
    for (let i = 0; i < 3; i++) observer?.received?.();
    observer?.ended?.(new EtcdUnavailableError('lost'));

    const labels = 'client="default",grpc_type="bidi_stream",grpc_service="etcdserverpb.Watch",grpc_method="Watch"';
    expect(await series(/_total/)).toEqual([
      `grpc_client_started_total{${labels}} 1`,
      `grpc_client_msg_sent_total{${labels}} 1`,
      `grpc_client_msg_received_total{${labels}} 3`,
      `grpc_client_handled_total{${labels},grpc_code="Unavailable"} 1`,
    ]);
  });

  it('adds up over scrapes and over interceptors of one registry', async () => {
    await run({ registry }, () => Promise.resolve());
    const first = await series(/started_total/);
    await run({ registry }, () => Promise.resolve());
    const second = await series(/started_total/);
    const third = await series(/started_total/);

    expect([first, second, third].map(([line]) => line?.at(-1))).toEqual(['1', '2', '2']);
  });

  it('has a label for each client', async () => {
    await run({ registry }, () => Promise.resolve(), 'a');
    await run({ registry }, () => Promise.resolve(), 'b');

    expect(await series(/handled_total\{client="[ab]"/)).toHaveLength(2);
  });

  it('takes a prefix and fixed labels', async () => {
    const options = { registry, prefix: 'app_', labels: { service: 'orders' } };

    await run(options, () => Promise.resolve());

    expect(await series(/handled_total/)).toEqual([
      `app_grpc_client_handled_total{service="orders",${RANGE_LABELS},grpc_code="OK"} 1`,
    ]);
  });

  it('keeps apart who has other values for the fixed labels', async () => {
    await run({ registry, labels: { service: 'a' } }, () => Promise.resolve());
    await run({ registry, labels: { service: 'b' } }, () => Promise.resolve());

    expect(await series(/handled_total\{service="[ab]"/)).toHaveLength(2);
  });

  it('starts anew in a registry that was cleared, and from 0 in one that was reset', async () => {
    await run({ registry }, () => Promise.resolve());
    await registry.metrics();
    registry.resetMetrics();
    const reset = await series(/started_total/);
    registry.clear();
    await run({ registry }, () => Promise.resolve());
    const cleared = await series(/started_total/);

    expect([reset, cleared].map(([line]) => line?.at(-1))).toEqual(['0', '1']);
  });

  it("goes to prom-client's own registry unless told otherwise", () => {
    etcdMetricsInterceptor();

    expect(register.getSingleMetric('grpc_client_started_total')).toBeDefined();
    register.clear();
  });

  it('serves an OpenMetrics registry', async () => {
    const open = new Registry<OpenMetricsContentType>();
    open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);

    await etcdMetricsInterceptor({ registry: open }).unary!(callOf(RANGE), () => Promise.resolve());
    await open.metrics();
    etcdMetricsInterceptor({ registry: open });

    expect(await open.metrics()).toContain(`grpc_client_started_total{${RANGE_LABELS}} 1`);
  });

  it('says so when the names are taken by someone else', () => {
    new Counter({ name: 'grpc_client_started_total', help: 'of another library', registers: [registry] });

    const make = (): unknown => etcdMetricsInterceptor({ registry });

    expect(make).toThrow(EtcdModuleError);
    expect(make).toThrow(/grpc_client_started_total is in the registry already and is not from nest-etcd/);
  });

  it('says so when two want other fixed labels in one registry', () => {
    etcdMetricsInterceptor({ registry, labels: { service: 'a' } });

    expect(() => etcdMetricsInterceptor({ registry })).toThrow(/already and has other labels \(service\)/);
  });

  it.each([
    [{ prefix: '1x' }, /prefix must be letters, digits/],
    [{ buckets: [1, 1] }, /buckets must be positive numbers in ascending order/],
    [{ buckets: [0] }, /buckets must be positive/],
    [{ labels: { client: 'x' } }, /labels.client is a label that nest-etcd sets itself/],
    [{ labels: { 'a-b': 'x' } }, /labels.a-b must be named by letters/],
  ])('refuses what cannot work: %j', (options, message) => {
    const make = (): unknown => etcdMetricsInterceptor({ registry, ...options });

    expect(make).toThrow(message);
    expect(make).toThrow(EtcdConfigError);
  });

  it("shows durations as prom-client's own histogram does, in text, as JSON and for several processes", async () => {
    const [buckets, labels] = [[0.001, 1], { zone: 'b' }];
    const interceptor = etcdMetricsInterceptor({ registry, buckets, labels });
    const own = new Registry();
    const name = 'grpc_client_handling_seconds';
    const labelNames = ['zone', 'client', 'grpc_type', 'grpc_service', 'grpc_method'];
    const help = 'Seconds from the start of an RPC to its end, retries included.';
    const histogram = new Histogram({ name, help, labelNames, buckets, registers: [own] });
    for (const durationMs of [0.5, 999, 1_000, 2_000]) {
      await takes(durationMs, () => interceptor.unary!(callOf(RANGE), () => Promise.resolve({})));
      const { type, service, name: method } = RANGE;
      const values = { zone: 'b', client: 'default', grpc_type: type, grpc_service: service, grpc_method: method };
      histogram.observe(values, durationMs / 1_000);
    }

    expect(await registry.getSingleMetricAsString(name)).toBe(await own.getSingleMetricAsString(name));
    expect(await together(registry, name)).toBe(await together(own, name));
    registry.resetMetrics();
    own.resetMetrics();
    expect(await registry.getSingleMetricAsString(name)).toBe(await own.getSingleMetricAsString(name));
  });

  it('adds less than 10 µs of CPU to a call; what share that is, the benchmark tells', async () => {
    const interceptor = etcdMetricsInterceptor({ registry });
    const call = callOf(RANGE);
    const next = (): Promise<unknown> => Promise.resolve(call);
    const measure = async (work: () => Promise<unknown>): Promise<number> => {
      const calls = 50_000;
      const startedAt = process.cpuUsage();
      for (let i = 0; i < calls; i++) await work();
      const { user, system } = process.cpuUsage(startedAt);
      return (user + system) / calls;
    };
    await measure(() => interceptor.unary!(call, next)); // warm

    const bare = await measure(next);
    const measured = await measure(() => interceptor.unary!(call, next));

    expect(measured - bare).toBeLessThan(10);
  });
});

describe('observeEtcdClients', () => {
  let stats: EtcdClientStats;

  function client(name = 'default'): EtcdClient {
    return { name, stats: () => ({ ...stats, name }) } as unknown as EtcdClient;
  }

  beforeEach(() => {
    const endpoints = [{ endpoint: 'http://a:1', state: 'ready', reason: undefined } as const];
    const watch = {
      watches: 7,
      paused: 1,
      streams: 2,
      reconnects: 3,
      resumes: 21,
      pauses: 4,
      bufferedRevisions: 900,
      bufferedBytes: 10,
      lag: 800,
    };
    const lease = { keptAlive: 5, oldestRenewalMs: 1_500, lost: 1, renewals: 60, streams: 1 };
    stats = { name: '', endpoints, inFlight: 2, retries: 3, tokenRefreshes: 1, watch, lease };
  });

  it('shows what clients are doing when it is scraped', async () => {
    const one = client();
    observeEtcdClients(() => [one], { registry });
    await registry.metrics();

    stats = { ...stats, retries: 5, endpoints: [{ endpoint: 'http://a:1', state: 'backoff', reason: 'x' }] };

    expect(await series(/etcd_client_(endpoint|in_flight|retries|token)/)).toEqual([
      'etcd_client_endpoint_state{client="default",endpoint="http://a:1",state="idle"} 0',
      'etcd_client_endpoint_state{client="default",endpoint="http://a:1",state="connecting"} 0',
      'etcd_client_endpoint_state{client="default",endpoint="http://a:1",state="ready"} 0',
      'etcd_client_endpoint_state{client="default",endpoint="http://a:1",state="sick"} 0',
      'etcd_client_endpoint_state{client="default",endpoint="http://a:1",state="backoff"} 1',
      'etcd_client_endpoint_state{client="default",endpoint="http://a:1",state="closed"} 0',
      'etcd_client_in_flight{client="default"} 2',
      'etcd_client_retries_total{client="default"} 5',
      'etcd_client_token_refreshes_total{client="default"} 1',
    ]);
  });

  it('shows what watches and leases are doing', async () => {
    observeEtcdClients(() => [client()], { registry });

    expect(await series(/etcd_client_(watch|lease)/)).toEqual([
      'etcd_client_watches{client="default"} 7',
      'etcd_client_watches_paused{client="default"} 1',
      'etcd_client_watch_streams{client="default"} 2',
      'etcd_client_watch_buffered_revisions{client="default"} 900',
      'etcd_client_watch_lag_revisions{client="default"} 800',
      'etcd_client_leases_kept_alive{client="default"} 5',
      'etcd_client_lease_oldest_renewal_seconds{client="default"} 1.5',
      'etcd_client_watch_reconnects_total{client="default"} 3',
      'etcd_client_watch_resumes_total{client="default"} 21',
      'etcd_client_watch_pauses_total{client="default"} 4',
      'etcd_client_watch_handler_failures_total{client="default"} 0',
      'etcd_client_lease_renewals_total{client="default"} 60',
      'etcd_client_leases_lost_total{client="default"} 1',
    ]);
  });

  it('adds up clients of one name, and drops those that have gone but not what they counted', async () => {
    const [one, two, other] = [client(), client(), client('other')];
    observeEtcdClients(() => [one, other], { registry });
    const forget = observeEtcdClients(() => [two], { registry });
    const both = await series(/in_flight|retries/);

    forget();

    expect(both).toEqual([
      'etcd_client_in_flight{client="default"} 4',
      'etcd_client_in_flight{client="other"} 2',
      'etcd_client_retries_total{client="default"} 6',
      'etcd_client_retries_total{client="other"} 3',
    ]);
    expect(await series(/client="default".*|in_flight/)).toContain('etcd_client_in_flight{client="default"} 2');
    expect(await series(/retries.*default/)).toEqual(['etcd_client_retries_total{client="default"} 6']);
  });

  it('counts what came between the last scrape and the end', async () => {
    const one = client();
    const forget = observeEtcdClients(() => [one], { registry });
    await registry.metrics();
    stats = { ...stats, retries: 10 };

    forget();

    expect(await series(/retries/)).toEqual(['etcd_client_retries_total{client="default"} 10']);
  });
});
