/** The suite of `../concurrency-stm.spec.ts`, inside a namespace. */
import { runInside } from './inside.js';

await runInside(() => import('../concurrency-stm.spec.js'));
