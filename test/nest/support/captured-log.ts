/** A logger for Nest that keeps what it is told. */
import type { LoggerService } from '@nestjs/common';

/** One line of the log. */
export interface LogLine {
  readonly level: 'log' | 'warn' | 'error' | 'debug' | 'verbose' | 'fatal';
  readonly context: string;
  readonly text: string;
}

/** Keeps each line; the last parameter of Nest's calls is the context. */
export class CapturedLog implements LoggerService {
  readonly lines: LogLine[] = [];

  log = this.keep('log');
  warn = this.keep('warn');
  error = this.keep('error');
  debug = this.keep('debug');
  verbose = this.keep('verbose');
  fatal = this.keep('fatal');

  /** The lines of one context, as `level: text`. */
  of(context: string): string[] {
    return this.lines.filter((line) => line.context === context).map(({ level, text }) => `${level}: ${text}`);
  }

  /** Everything, in one text. */
  get text(): string {
    return this.lines.map(({ level, context, text }) => `[${context}] ${level}: ${text}`).join('\n');
  }

  private keep(level: LogLine['level']): (message: unknown, ...rest: unknown[]) => void {
    return (message, ...rest) => {
      const context = typeof rest.at(-1) === 'string' ? (rest.at(-1) as string) : '';
      const details = rest.slice(0, -1).map((value) => (value instanceof Error ? value.stack : String(value)));
      const shown = message instanceof Error ? (message.stack ?? message.message) : String(message);
      this.lines.push({ level, context, text: [shown, ...details].join(' ') });
    };
  }
}
