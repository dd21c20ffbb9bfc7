/** The results as they are kept: every sample of every trial, with what a reader needs to judge them. */
import type { SetName } from './cases.js';
import type { SubjectName } from './subjects.js';

/** All samples of one subject under one load. */
export interface Series {
  readonly case: string;
  readonly inFlight: number;
  readonly subject: SubjectName;
  /** By figure, one for each round. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
  /** Why there are none, or no more. */
  readonly failure?: string;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  /** How busy the machine was with other things: the load average of the minute before. */
  readonly loadBefore: number;
}

export interface Results {
  readonly set: SetName;
  /** The day. */
  readonly takenAt: string;
  readonly tookSeconds: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly machine: Machine;
  /** Of Node.js, etcd, and each client. */
  readonly versions: Readonly<Record<string, string>>;
  /** Subjects that could not be measured, and why. */
  readonly leftOut: Partial<Record<SubjectName, string>>;
  readonly series: readonly Series[];
}

/** What is being measured, to be told from all else. */
export interface Spot {
  readonly case: string;
  readonly inFlight: number;
  readonly subject: SubjectName;
}

/** The part of the results that has figures. */
export type Measured = Pick<Results, 'series'>;

export function seriesAt(results: Measured, spot: Spot): Series | undefined {
  return results.series.find(
    (one) => one.case === spot.case && one.inFlight === spot.inFlight && one.subject === spot.subject,
  );
}
