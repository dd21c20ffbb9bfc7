/** The clients that are measured, behind one face: as their users get them, with the options they have by default. */
import { Etcd3, type IOptions } from 'etcd3';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdError } from '../../lib/client/errors.js';

/** What a scenario needs to know to make a client. */
export interface Place {
  readonly endpoints: readonly string[];
  readonly auth?: { readonly username: string; readonly password: string };
}

/** A client under test. */
export interface Subject {
  get(key: string): Promise<string | undefined>;
  put(key: string, value: string): Promise<void>;
  /** Writes a key that does not exist. @returns `false` when the client says that somebody else was first. */
  create(key: string, value: string): Promise<boolean>;
  /** @returns whether an error of this client says that the write was certainly not applied. */
  deniesWrite(error: unknown): boolean;
  close(): Promise<void>;
}

export const SUBJECTS = ['nest-etcd', 'etcd3'] as const;

export type SubjectName = (typeof SUBJECTS)[number];

/** Makes a client by its name. */
export function makeSubject(name: SubjectName, place: Place): Subject {
  return name === 'nest-etcd' ? ours(place) : peer(place);
}

function ours({ endpoints, auth }: Place): Subject {
  const client = new EtcdClient({ endpoints, auth });
  return {
    get: async (key) => (await client.kv.get(key))?.value,
    put: async (key, value) => {
      await client.kv.put(key, value);
    },
    create: async (key, value) => (await client.kv.create(key, value)).succeeded,
    deniesWrite: (error) => error instanceof EtcdError && error.outcome === 'not-applied',
    close: () => client.close(),
  };
}

function peer({ endpoints, auth }: Place): Subject {
  const options: IOptions = { hosts: [...endpoints] };
  const client = new Etcd3(auth === undefined ? options : { ...options, auth });
  return {
    get: async (key) => (await client.get(key).string()) ?? undefined,
    put: async (key, value) => {
      await client.put(key).value(value);
    },
    create: async (key, value) => {
      const { succeeded } = await client.if(key, 'Create', '==', 0).then(client.put(key).value(value)).commit();
      return succeeded;
    },
    deniesWrite: () => false,
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}
