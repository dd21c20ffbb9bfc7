/** One run of one scenario with one client, in a process of its own: prints its figures as one line of JSON. */
import { CHAPTERS, type ChapterName } from './chapters.js';
import type { SubjectName } from './subjects.js';

const [chapter = '', scenario = '', subject = ''] = process.argv.slice(2);

/** A client that leaves a rejection unhandled must not end the run; how many there were is a figure like the others. */
let unhandled = 0;
process.on('unhandledRejection', () => (unhandled += 1));
process.on('uncaughtException', () => (unhandled += 1));

// A client that keeps its process alive after close() must not hold up the next run: hence the exits.
try {
  const figures = await CHAPTERS[chapter as ChapterName].scenarios[scenario]!.run(subject as SubjectName);
  console.log(JSON.stringify({ ...figures, ...(unhandled > 0 ? { 'unhandled errors': unhandled } : {}) }));
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
