/** The suite of `../concurrency.spec.ts`, inside a namespace. */
import { runInside } from './inside.js';

await runInside(() => import('../concurrency.spec.js'));
