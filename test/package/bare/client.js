/** The client in a program that has no Nest, no Terminus and no prom-client installed. */
import { EtcdClient } from 'nest-etcd/client';

const etcd = new EtcdClient({ endpoints: process.env.ETCD_ENDPOINTS.split(',') });
await etcd.kv.put('package/bare', 'stored');
const kv = await etcd.kv.get('package/bare');
await etcd.close();
console.log(JSON.stringify({ value: kv?.value }));
