/** One case: its subjects are started, warmed up, and measured in turn. */
import { reasonAgainst, type Case } from './cases.js';
import type { Figures } from './load/protocol.js';
import type { Options } from './options.js';
import type { Processes } from './processes.js';
import type { Series, Spot } from './results.js';
import type { SubjectProcess } from './subject-process.js';
import type { SubjectName } from './subjects.js';

const PREPARE_TIMEOUT_MS = 60_000;
/** Beyond the time that a trial is meant to take. */
const GRACE_MS = 30_000;

/** A series that grows. */
interface Running extends Spot {
  readonly samples: Record<string, number[]>;
  failure?: string;
}

export class CaseRun {
  private readonly series: readonly Running[];

  constructor(
    private readonly one: Case,
    private readonly options: Options,
    private readonly processes: Processes,
  ) {
    this.series = one.levels.flatMap(({ inFlight, subjects }) =>
      subjects
        .filter((subject) => this.isMeasured(subject))
        .map((subject): Running => ({ case: one.id, inFlight, subject, samples: {} })),
    );
  }

  async measure(): Promise<readonly Series[]> {
    if (!this.one.isFresh) await this.warmUp();
    const seconds = this.one.seconds ?? this.options.seconds;
    for (let round = 0; round < this.options.rounds; round++) {
      for (const running of this.series) {
        const figures = await this.trial(running, seconds);
        for (const [figure, value] of Object.entries(figures)) (running.samples[figure] ??= []).push(value);
      }
    }
    return this.series;
  }

  /** A line for each subject that failed. */
  failures(): readonly string[] {
    const failed = this.series.flatMap(({ subject, failure }) =>
      failure === undefined ? [] : `${subject}: ${failure}`,
    );
    return [...new Set(failed)];
  }

  /** Whether it was chosen, and can do this here. */
  private isMeasured(subject: SubjectName): boolean {
    const isChosen = this.options.subjects.includes(subject);
    return isChosen && this.processes.canRun(subject) && reasonAgainst(this.one, subject) === undefined;
  }

  /** Starts all processes first, so that none is busy with itself when another is measured. */
  private async warmUp(): Promise<void> {
    const subjects = [...new Set(this.series.map(({ subject }) => subject))];
    await Promise.all(subjects.map((subject) => this.attempt(subject, () => this.prepare(this.processes.of(subject)))));
    if (this.options.warmUpSeconds === 0 || this.one.workload === 'leases') return;
    for (const running of this.series) {
      await this.trial(running, this.options.warmUpSeconds * this.one.warmUpTimes);
    }
  }

  /** A subject that has failed is not asked again. */
  private async trial({ subject, inFlight, failure }: Running, seconds: number): Promise<Figures> {
    if (failure !== undefined) return {};
    return this.attempt(subject, () =>
      this.one.isFresh
        ? this.processes.withFresh(subject, async (fresh) => {
            await this.prepare(fresh);
            return this.ask(fresh, inFlight, seconds);
          })
        : this.ask(this.processes.of(subject), inFlight, seconds),
    );
  }

  private async attempt(subject: SubjectName, work: () => Promise<Figures>): Promise<Figures> {
    try {
      return await work();
    } catch (error) {
      for (const running of this.series) {
        if (running.subject === subject) running.failure = error instanceof Error ? error.message : String(error);
      }
      await this.processes.discard(subject);
      return {};
    }
  }

  private prepare(process: SubjectProcess): Promise<Figures> {
    return process.ask({ what: 'prepare', task: this.processes.taskOf(this.one) }, PREPARE_TIMEOUT_MS);
  }

  private ask(process: SubjectProcess, inFlight: number, seconds: number): Promise<Figures> {
    const trial = { inFlight, seconds, maxOperations: this.one.maxOperations };
    return process.ask({ what: 'measure', task: this.one.id, trial }, seconds * 1_000 + GRACE_MS);
  }
}
