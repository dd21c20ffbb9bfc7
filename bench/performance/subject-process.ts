/** A subject in a process of its own, which is asked one thing at a time and never waited for without an end. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Answer, Figures, Question } from './load/protocol.js';
import { PROJECT_FOLDER } from './folders.js';

const LAST_WORDS = 2_000;

/** Started at once; ends when its input does, so with this process at the latest. */
export class SubjectProcess {
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly ended: Promise<void>;
  private hear: ((answer: Answer) => void) | undefined;
  private complaints = '';
  private isOver = false;

  constructor(command: readonly string[]) {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { cwd: PROJECT_FOLDER, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child = child;
    child.stdin.on('error', () => undefined); // the end of the process tells more
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complaints = (this.complaints + text).slice(-LAST_WORDS);
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.hear?.(JSON.parse(line) as Answer));
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.isOver = true;
        this.hear?.(this.lastWords());
        resolve();
      };
      child.on('close', end);
      child.on('error', (error) => {
        this.complaints = error.message;
        end();
      });
    });
  }

  /** @throws {Error} with what the subject said, or that it said nothing in time; it is killed then. */
  async ask(question: Question, timeoutMs: number): Promise<Figures> {
    const answer = await new Promise<Answer>((resolve) => {
      const timer = setTimeout(() => {
        resolve({ error: `no answer within ${timeoutMs} ms` });
        this.child.kill('SIGKILL');
      }, timeoutMs);
      this.hear = (said) => {
        clearTimeout(timer);
        resolve(said);
      };
      if (this.isOver) this.hear(this.lastWords());
      else this.child.stdin.write(`${JSON.stringify(question)}\n`);
    });
    this.hear = undefined;
    if ('error' in answer) throw new Error(answer.error);
    return answer.figures;
  }

  /** Ends it, by force if it does not do so itself. */
  async end(): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 2_000);
    this.child.stdin.end();
    await this.ended;
    clearTimeout(timer);
  }

  private lastWords(): Answer {
    return { error: `its process has ended: ${this.complaints.trim() || 'it said nothing'}` };
  }
}
