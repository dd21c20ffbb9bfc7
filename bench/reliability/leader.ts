/** One leader in a process of its own, to be killed: says when it leads. Usage: leader SUBJECT ENDPOINTS ELECTION TTL_SECONDS. */
import { makeLockSubject } from './lock-subjects.js';
import type { SubjectName } from './subjects.js';

const [subject = '', endpoints = '', election = '', ttlSeconds = ''] = process.argv.slice(2);

await makeLockSubject(subject as SubjectName, endpoints.split(',')).campaign(election, 'first', Number(ttlSeconds));
console.log('leads');
