/** The import directions of design: health, metrics -> nest -> client/index -> client, concurrency -> services -> rpc -> transport -> options -> errors, key-range. */
const services = '^lib/client/(kv|watch|lease|auth|cluster|maintenance)/';
const views = '^lib/client/(concurrency|namespace|views|naming)/';
const ground = '^lib/client/[^/]+\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circle', severity: 'error', comment: 'Every arrow points one way.', from: {}, to: { circular: true } },
    {
      name: 'grpc-only-in-its-transport',
      severity: 'error',
      comment: 'One transport knows gRPC for Node.js, and nothing knows a library for protobuf.',
      from: { path: '^lib/', pathNot: '^lib/client/transport/grpc-js/' },
      to: { path: 'node_modules/(@grpc|protobufjs)/' },
    },
    {
      name: 'client-knows-no-nest',
      severity: 'error',
      comment: 'nest-etcd/client works without Nest.',
      from: { path: '^lib/client/' },
      to: { path: ['node_modules/(@nestjs|rxjs|reflect-metadata|prom-client)', '^lib/(nest|health|metrics)/'] },
    },
    {
      name: 'nest-loads-no-optional-peer',
      severity: 'error',
      comment: 'Importing nest-etcd loads neither Terminus nor prom-client.',
      from: { path: '^lib/nest/' },
      to: { path: ['node_modules/(@nestjs/terminus|prom-client)', '^lib/(health|metrics)/'] },
    },
    {
      name: 'nest-uses-the-client-face',
      severity: 'error',
      comment: 'The Nest wing imports the client as any user would.',
      from: { path: '^lib/(nest|health|metrics)/' },
      to: { path: '^lib/client/', pathNot: '^lib/client/index\\.ts$' },
    },
    {
      name: 'no-barrel-below-the-face',
      severity: 'error',
      comment: 'Inside a wing nobody imports its own face.',
      from: { path: '^lib/(client|nest|health|metrics)/' },
      to: { path: '^lib/$1/index\\.ts$' },
    },
    {
      name: 'services-are-equal-peers',
      severity: 'error',
      comment: 'A service does not know another service.',
      from: { path: services },
      to: { path: services, pathNot: '^lib/client/$1/' },
    },
    {
      name: 'services-below-what-is-built-on-them',
      severity: 'error',
      comment: 'Services do not know what is built on them.',
      from: { path: services },
      to: { path: [views, '^lib/client/client\\.ts$'] },
    },
    {
      name: 'views-below-client',
      severity: 'error',
      comment: 'What is built on the services takes those of a client or of a view, and does not know which.',
      from: { path: views },
      to: { path: '^lib/client/client\\.ts$' },
    },
    {
      name: 'transport-below-rpc',
      severity: 'error',
      comment: 'A connection carries bytes, and does not know what they mean.',
      from: { path: '^lib/client/transport/' },
      to: { path: '^lib/', pathNot: ['^lib/client/transport/', ground] },
    },
    {
      name: 'rpc-below-services',
      severity: 'error',
      comment: 'The seam does not know the services.',
      from: { path: '^lib/client/rpc/' },
      to: { path: [services, views, '^lib/client/client\\.ts$'] },
    },
    {
      name: 'ground-imports-only-ground',
      severity: 'error',
      comment: 'Errors, key ranges and options stand on nothing above them.',
      from: { path: ground, pathNot: '^lib/client/(client|index)\\.ts$' },
      to: { path: '^lib/', pathNot: ground },
    },
    {
      name: 'lib-is-self-contained',
      severity: 'error',
      comment: 'The package imports nothing that is not published with it.',
      from: { path: '^lib/' },
      to: { path: '^(test|sample|scripts)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'default'] },
  },
};
