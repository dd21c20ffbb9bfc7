/** The processes that are at work on one etcd: one for each subject, kept from round to round. */
import type { Case } from './cases.js';
import type { Task } from './load/protocol.js';
import { prefixOf } from './seed.js';
import { SubjectProcess } from './subject-process.js';
import type { SubjectName } from './subjects.js';

/** How to start the programs of the subjects. */
export interface Programs {
  /** @returns the command for a subject, without the endpoint. */
  commandFor(subject: SubjectName): readonly string[];
  /** The command that writes what is watched, without its arguments. */
  readonly flood: readonly string[];
  /** Subjects that cannot be measured here, and why. */
  readonly leftOut: Partial<Record<SubjectName, string>>;
}

/** The etcd that all of them use. */
interface Server {
  readonly endpoint: string;
  readonly pid: number;
}

export class Processes implements AsyncDisposable {
  private readonly running = new Map<SubjectName, SubjectProcess>();

  constructor(
    private readonly programs: Programs,
    private readonly server: Server,
  ) {}

  canRun(subject: SubjectName): boolean {
    return this.programs.leftOut[subject] === undefined;
  }

  /** The process of a subject, started when it is first asked for. */
  of(subject: SubjectName): SubjectProcess {
    const process = this.running.get(subject) ?? this.start(subject);
    this.running.set(subject, process);
    return process;
  }

  /** Whatever state it is in, nobody shall begin with it again. */
  async discard(subject: SubjectName): Promise<void> {
    const process = this.running.get(subject);
    this.running.delete(subject);
    await process?.end();
  }

  /** A process for one piece of work. */
  async withFresh<T>(subject: SubjectName, work: (process: SubjectProcess) => Promise<T>): Promise<T> {
    const process = this.start(subject);
    try {
      return await work(process);
    } finally {
      await process.end();
    }
  }

  taskOf(one: Case): Task {
    const { id, workload, keys, valueBytes, versions, count, ttlSeconds } = one;
    const { endpoint, pid } = this.server;
    const flood = [...this.programs.flood, endpoint];
    const sizes = { keys, valueBytes, versions, count, ttlSeconds };
    return { id, workload, prefix: prefixOf(one), ...sizes, flood, serverPid: pid };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.running.values()].map((process) => process.end()));
  }

  private start(subject: SubjectName): SubjectProcess {
    return new SubjectProcess([...this.programs.commandFor(subject), this.server.endpoint]);
  }
}
