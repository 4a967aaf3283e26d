/**
 * Routes that are no request for rows: events, metrics, health, the document itself. They are
 * described here, for the OpenAPI document, and served each by its own code.
 */
import { ref, type Schema } from '../../model/fields.ts';
import { closed, NAME } from '../schema.ts';

export interface PlainRoute {
  readonly path: string;
  readonly schema: Schema;
}

const ERRORS = { '4xx': ref('Error'), '5xx': ref('Error') };

function text(description: string, contentType: string): Schema {
  return { description, content: { [contentType]: { schema: { type: 'string' } } } };
}

export const EVENT_STREAM: PlainRoute = {
  path: '/v1/events',
  schema: {
    operationId: 'events',
    tags: ['read'],
    summary: 'Events as they happen, as server-sent events',
    description:
      'Each event has an id, its name, and as data an Event. Two more announce gaps: missed, the ' +
      'first event, if the id to go on after is no longer known; overrun, the last event, if the ' +
      'subscriber reads too slowly.',
    querystring: closed(
      {
        group: { ...NAME.schema, description: 'only events of this group' },
        ifname: { ...NAME.schema, description: 'only events of this interface' },
        event: {
          type: 'string',
          maxLength: 32,
          pattern: '^[a-z][a-z-]*$',
          description: 'only events of this name',
          'x-allowed': 'the name of an event',
        },
        after: {
          type: 'string',
          maxLength: 64,
          description: 'go on after the event of this id',
          'x-allowed': 'the id of an event',
        },
      },
      [],
    ),
    headers: {
      type: 'object',
      properties: {
        'last-event-id': { type: 'string', description: 'as after, for clients that send it' },
      },
    },
    response: { 200: text('An endless stream', 'text/event-stream'), ...ERRORS },
  },
};

export const OPENAPI: PlainRoute = {
  path: '/v1/openapi.json',
  schema: {
    operationId: 'openapi',
    tags: ['read'],
    summary: 'This document',
    response: { 200: { type: 'object', description: 'OpenAPI 3.1' }, ...ERRORS },
  },
};

export const METRICS: PlainRoute = {
  path: '/metrics',
  schema: {
    operationId: 'metrics',
    tags: ['read'],
    summary: 'Metrics for Prometheus',
    response: { 200: text('Text exposition format 0.0.4', 'text/plain'), ...ERRORS },
  },
};

export const HEALTHZ: PlainRoute = {
  path: '/healthz',
  schema: {
    operationId: 'healthz',
    tags: ['read'],
    summary: 'Whether the daemon lives',
    response: { 200: ref('Health'), ...ERRORS },
  },
};

export const READYZ: PlainRoute = {
  path: '/readyz',
  schema: {
    operationId: 'readyz',
    tags: ['read'],
    summary: 'Whether the daemon can do its work',
    response: { 200: ref('Readiness'), 503: ref('Readiness'), '4xx': ref('Error') },
  },
};

export const PLAIN_ROUTES: readonly PlainRoute[] = [
  EVENT_STREAM,
  OPENAPI,
  METRICS,
  HEALTHZ,
  READYZ,
];
