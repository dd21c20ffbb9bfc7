import { it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import { startEtcd, startProxy } from '../support/index.js';
it('x', async () => {
    const etcd = await startEtcd({ own: true });
    const proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    const client = new EtcdClient({ endpoints: proxy.endpoint });
    const leases = await Promise.all(Array.from({ length: 20 }, () => client.lease.grant(6)));
    const t1 = performance.now(); const at = () => Math.round(performance.now() - t1);
    const line: string[] = []; 
    void (async () => { for await (const e of client.status()) line.push(`${at()} EVENT ${JSON.stringify(e)}`); })();
    const beats = leases.map(({ id }) => client.lease.keepAlive(id));
    for (const b of beats) void b.lost.then((l) => line.push(`${at()} ${l.error.message}`));
  const every = setInterval(() => { const n = client.lease.stats(); const st = (client.lease as any).keeper.stream; line.push(`${at()} ${n.renewals} streams ${n.streams} oldest ${Math.round(n.oldestRenewalMs)} waiting ${st.waiting.size} alone ${st.alone.size} ${st.state.name} under ${st.state.stream?.underWay.size} ep ${st.state.stream?.duplex.endpoint} ${st.lastBreak?.error.message.slice(0, 120)} @${Math.round((st.lastBreak?.at ?? t1) - t1)}`); }, 100);
    for (let resets = 0; resets < 10; resets++) {
      await delay(200);
      proxy.reset();
    }
    line.push(`${at()} cut`);
    await proxy.cut();
    await delay(1_500);
    line.push(`${at()} mend`);
    await proxy.mend();
    await delay(6_000);
  clearInterval(every); console.log(line.join('\n'));
  console.log(etcd.members[0]!.log.split('\n').slice(-25).join('\n'));
  await client.close(); await proxy.close(); await etcd.stop();
}, 300_000);
