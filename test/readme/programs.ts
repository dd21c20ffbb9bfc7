/** The programs in the README: blocks of TypeScript with `program=name` behind the language, joined by name and compiled. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT_FOLDER } from '../support/built.js';
import { run } from '../support/etcd/run.js';

/** In the project, so that the programs import the package by its name. */
const FOLDER = join(ROOT_FOLDER, '.cache/readme');
const TSC = join(ROOT_FOLDER, 'node_modules/typescript/bin/tsc');
const BLOCK = /^```(?<head>.*)\n(?<text>[\s\S]*?)^```$/gm;

const TSCONFIG = {
  extends: '../../tsconfig.json',
  compilerOptions: { noEmit: false, rootDir: '.', outDir: 'out', inlineSourceMap: true },
  include: ['*.ts'],
  exclude: [],
};

/** Boots the `AppModule` that a program exports, for programs that show a module and not how to start it. */
const BOOT = `import { NestFactory } from '@nestjs/core';
const [, , program, port] = process.argv;
const { AppModule } = await import(program);
const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.enableShutdownHooks();
await app.listen(Number(port), '127.0.0.1');
console.log('listening');
`;

/** Texts of the README by what a test run has in their place, such as the endpoint. */
export type Substitutions = Readonly<Record<string, string>>;

export interface Programs {
  readonly names: readonly string[];
  /** Blocks of TypeScript that belong to no program, so that nothing would run them. */
  readonly strays: readonly string[];
  /** What a program says it prints: the comments behind its `console.log` lines, in order. */
  printed(name: string): string[];
  /** Writes and compiles all programs. Substitutions that a program does not contain are an error. */
  compile(substitutions: Readonly<Record<string, Substitutions>>): Promise<void>;
  /** The compiled program, once {@link compile} has run. */
  file(name: string): string;
  /** A program that boots the `AppModule` of another. */
  readonly bootFile: string;
}

export async function programsOf(markdownFile: string): Promise<Programs> {
  const markdown = await readFile(join(ROOT_FOLDER, markdownFile), 'utf8');
  const sources = new Map<string, string>();
  const strays: string[] = [];
  for (const { groups } of markdown.matchAll(BLOCK)) {
    const { head = '', text = '' } = groups ?? {};
    const [language, ...marks] = head.split(' ');
    const name = marks.find((mark) => mark.startsWith('program='))?.slice('program='.length);
    if (name !== undefined) sources.set(name, `${sources.get(name) ?? ''}${text}\n`);
    else if (language === 'ts' || language === 'typescript') strays.push(text);
  }
  return {
    names: [...sources.keys()],
    strays,
    printed: (name) =>
      [...sourceOf(sources, name).matchAll(/console\.log\(.*\);? \/\/ (.*)$/gm)].map(([, text]) => text!),
    compile: (substitutions) => compile(sources, substitutions),
    file: (name) => join(FOLDER, 'out', `${name}.js`),
    bootFile: join(FOLDER, 'out/boot.mjs'),
  };
}

function sourceOf(sources: ReadonlyMap<string, string>, name: string): string {
  const source = sources.get(name);
  if (source === undefined) throw new Error(`the README has no program ${name}`);
  return source;
}

async function compile(
  sources: ReadonlyMap<string, string>,
  substitutions: Readonly<Record<string, Substitutions>>,
): Promise<void> {
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(join(FOLDER, 'out'), { recursive: true });
  await writeFile(join(FOLDER, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  await writeFile(join(FOLDER, 'out/boot.mjs'), BOOT);
  for (const name of sources.keys()) {
    await writeFile(join(FOLDER, `${name}.ts`), substitute(name, sourceOf(sources, name), substitutions[name] ?? {}));
  }
  await run(process.execPath, [TSC, '-p', FOLDER]);
}

function substitute(name: string, source: string, substitutions: Substitutions): string {
  return Object.entries(substitutions).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`program ${name} of the README does not contain ${from}`);
    return text.replaceAll(from, to);
  }, source);
}
