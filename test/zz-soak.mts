import { EtcdClient, prefix, type WatchEvent } from '../lib/client/index.js';
import { startCluster, startProxy, eventually } from './support/index.js';
const seconds = Number(process.argv[2] ?? 40); let seed = Number(process.argv[3] ?? Date.now() % 1e6);
const compacting = process.argv[4] === 'compact';
console.log('seed', seed);
const rnd = () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed / 0x7fffffff; };
const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms));
const etcd = await startCluster({ members: 3, flags: process.env['ETCD_VERSION']?.startsWith('3.4') ? {} : { 'experimental-watch-progress-notify-interval': '1s' } });
const proxies = await Promise.all(etcd.endpoints.map((e) => startProxy({ targetPort: Number(new URL(e).port) })));
const client = new EtcdClient({ endpoints: proxies.map((p) => p.endpoint) });
const writer = new EtcdClient({ endpoints: etcd.endpoints });
await client.ready();
interface W { name: string; only?: 'put'|'delete'; slow: number; events: WatchEvent[]; batches: number[][]; start: number; error?: any; done: boolean; progress: [number, number][]; w: any }
const ws: W[] = [];
const first = await writer.kv.put('s/init', 'x');
for (let i = 0; i < 30; i++) {
  const k = i % 5; const only = i % 7 === 3 ? 'put' : i % 7 === 5 ? 'delete' : undefined;
  const fromPast = i % 3 === 0;
  const w = client.watch.watch(prefix(k === 4 ? 's/' : `s/${k}/`), { only, prevKv: i % 2 === 0, progressNotify: i % 4 === 0, maxBufferedRevisions: i % 10 === 9 ? 20 : 1000, ...(fromPast ? { startRevision: first.header.revision } : {}) });
  const rec: W = { name: k === 4 ? 's/' : `s/${k}/`, only, slow: i % 10 === 9 ? 20 : 0, events: [], batches: [], start: fromPast ? first.header.revision : 0, done: false, progress: [], w };
  ws.push(rec);
  if (!fromPast) rec.start = (await w.created) + 1;
  void (async () => { try { for await (const r of w.responses()) { if (r.type === 'progress') rec.progress.push([r.revision, rec.events.length]); else { rec.events.push(...r.events); rec.batches.push(r.events.map((e) => e.revision)); } if (rec.slow) await sleep(rnd() * rec.slow * r.events.length / 5); } } catch (e) { rec.error = e; } rec.done = true; })();
}
setInterval(() => client.watch.requestProgress(), 150).unref(); let stop = false; let writes = 0; let lastCompact = 0;
const writing = Promise.all([0, 1, 2].map(async (n) => { while (!stop) { try { const k = `s/${Math.floor(rnd() * 4)}/${Math.floor(rnd() * 20)}`; if (rnd() < 0.2) await writer.kv.delete(k, { idempotent: true } as never); else if (rnd() < 0.2) await writer.kv.txn().then(...[0,1,2].map((j) => ({ kind: 'put', key: `s/${j}/t${n}`, value: `${writes}` }) as never)).commit(); else await writer.kv.put(k, `${writes}`, { idempotent: true }); writes++; } catch { await sleep(50); } await sleep(2); } }));
const faults: Record<string, number> = {};
const until = Date.now() + seconds * 1000;
const kinds = ['reset', 'cut', 'black', 'kill', 'freeze', 'leader', 'resetAfter', 'half', ...(compacting ? ['compact','compact','compact','compact'] : [])];
while (Date.now() < until) {
  await sleep(300 + rnd() * 2000);
  const kind = kinds[Math.floor(rnd() * kinds.length)]!; const i = Math.floor(rnd() * 3);
  faults[kind] = (faults[kind] ?? 0) + 1;
  const p = proxies[i]!;
  try {
    if (kind === 'reset') proxies.forEach((x) => x.reset());
    if (kind === 'resetAfter') proxies.forEach((x) => x.resetAfter('s2c', Math.floor(rnd() * 5000)));
    if (kind === 'cut') { await Promise.all(proxies.map((x) => x.cut())); await sleep(rnd() * 2000); await Promise.all(proxies.map((x) => x.mend())); }
    if (kind === 'black') { p.blackHole(); await sleep(rnd() * 11000); await p.mend({ held: rnd() < 0.5 ? 'drop' : 'forward' }); }
    if (kind === 'half') { p.halfOpen(); await sleep(rnd() * 11000); await p.mend({ held: 'drop' }); }
    if (kind === 'kill') { await etcd.members[i]!.kill(); await sleep(rnd() * 2000); await etcd.members[i]!.restart(); }
    if (kind === 'freeze') { await etcd.members[i]!.freeze(); await sleep(rnd() * 11000); await etcd.members[i]!.resume(); }
    if (kind === 'leader') await etcd.moveLeader(i);
    if (kind === 'compact') { lastCompact = (await etcd.gateway.revision()) - Math.floor(rnd() * 30); await etcd.gateway.compact(lastCompact, { physical: false }); }
  } catch (e) { console.log('fault failed', kind, String(e).slice(0, 100)); }
}
stop = true; await writing;
const end = await writer.kv.put('s/end', 'x'); for (const k of [0,1,2,3]) { await writer.kv.put(`s/${k}/end`, 'x'); await writer.kv.delete(`s/${k}/end`); }
console.log('faults', faults, 'writes', writes, client.watch.stats());
let bad = 0;
if (!compacting) {
  const truth = await etcd.gateway.history('s/', first.header.revision);
  const show = (e: any) => `${e.type} ${e.kv.key}=${e.kv.value}@${e.kv.modRevision}`;
  await eventually(() => ws.every((r) => r.done || r.events.length >= truth.filter((e) => e.kv.key.startsWith(r.name) && e.kv.modRevision >= r.start && (!r.only || e.type === r.only)).length), { timeoutMs: 60000, what: 'all caught up' }).catch((e) => console.log(String(e)));
  for (const [i, r] of ws.entries()) {
    const want = truth.filter((e) => e.kv.key.startsWith(r.name) && e.kv.modRevision >= r.start && (!r.only || e.type === r.only)).map(show);
    const got = r.events.map(show);
    const firstDiff = want.findIndex((x, j) => got[j] !== x);
    if (got.length !== want.length || firstDiff >= 0 || r.done) { bad++; console.log('BAD', i, r.name, r.only, got.length, want.length, firstDiff, want[firstDiff], got[firstDiff], r.error, r.w.state, r.w.nextRevision); }
    for (let j = 1; j < r.batches.length; j++) if (r.batches[j]![0]! <= r.batches[j - 1]!.at(-1)!) { bad++; console.log('SPLIT', i); }
    for (const [rev, at] of r.progress) if (r.events.slice(at).some((e) => e.revision <= rev)) { bad++; console.log('BOOKMARK', i); }
  }
  console.log('events', truth.length, 'progress', ws.reduce((n, r) => n + r.progress.length, 0));
} else console.log(ws.map((r) => `${r.events.length}${r.error ? ' ' + r.error.code + ' ' + r.error.compactRevision : ''}`).join('; '));
console.log(bad === 0 ? 'OK' : `BAD ${bad}`);
await client.close(); await writer.close(); for (const p of proxies) await p.close(); await etcd.stop();
