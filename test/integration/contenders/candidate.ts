/**
 * One candidate of an election, in a process of its own: says when it leads, and resigns on SIGTERM.
 *
 * Usage: candidate ENDPOINTS NAME VALUE TTL_SECONDS; in the namespace TEST_NAMESPACE, if there is one in the environment.
 */
import { EtcdClient } from '../../../lib/client/client.js';

const [endpoints = '', name = '', value = '', ttl = '2'] = process.argv.slice(2);

const client = new EtcdClient({ endpoints: endpoints.split(',') });
const { TEST_NAMESPACE: namespace } = process.env;
const { concurrency } = namespace === undefined ? client : client.namespace(namespace);
const leadership = await concurrency.campaign(name, value, { ttlSeconds: Number(ttl) });
process.stdout.write(`elected ${leadership.key}\n`);
process.once('SIGTERM', () => {
  void leadership.resign().then(() => client.close());
});
