/** CommonJS without a compiler: what `require` gives is what `import` gives, down to the identity of the classes. */
const { EtcdClient } = require('nest-etcd/client');

async function main() {
  const etcd = new EtcdClient({ endpoints: process.env.ETCD_ENDPOINTS.split(',') });
  await etcd.kv.put('package/commonjs', 'stored');
  const kv = await etcd.kv.get('package/commonjs');
  await etcd.close();
  const imported = await import('nest-etcd/client');
  console.log(JSON.stringify({ value: kv.value, isSameClass: imported.EtcdClient === EtcdClient }));
}

void main();
