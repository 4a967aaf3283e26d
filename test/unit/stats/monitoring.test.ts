/**
 * Rules and dashboard against what the daemon exports: every metric, label and state that they
 * name exists, promtool accepts them, and every alert has been seen to fire and to stay silent.
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { MetricsRenderer, type MetricsSnapshot } from '../../../src/stats/prometheus.ts';
import { interfaceStatistics, LINK_COUNTERS_ZERO } from '../../../src/stats/schema.ts';
import * as monitoring from '../../tools/monitoring.ts';
import { fileText } from '../../tools/page.ts';
import { NO_PROMTOOL, PROMTOOL, promtool, promtoolOf } from '../../tools/promtool.ts';

const skip = PROMTOOL === undefined && NO_PROMTOOL;
const statistics = interfaceStatistics(LINK_COUNTERS_ZERO, true);

/** One of everything, so that every metric shows its labels. */
const SNAPSHOT: MetricsSnapshot = {
  version: '0.1.0',
  groups: [
    {
      group: 'ipmp0',
      state: 'ok',
      interfaces: 1,
      active: 1,
      failureDetectionSeconds: 1,
      statistics,
    },
  ],
  interfaces: [{ ifname: 'net0', group: 'ipmp0', state: 'ok', isLinkUp: true, statistics }],
  addresses: [{ group: 'ipmp0', address: '192.0.2.10/24', inbound: 'net0' }],
  failovers: [],
  drops: {},
};

/** Labels that Prometheus adds to what it scrapes. */
const TARGET_LABELS = ['job', 'instance'];

/** Metric -> label -> values, as exported. */
async function exported(): Promise<Map<string, Map<string, Set<string>>>> {
  const renderer = new MetricsRenderer();
  const text = await renderer.render(SNAPSHOT).finally(() => renderer.close());
  const metrics = new Map<string, Map<string, Set<string>>>();
  for (const line of text.split('\n')) {
    const [, name = '', braces = ''] = /^(\w+)(\{.*\})? \S+$/.exec(line) ?? [];
    if (name === '') continue;
    const labels = metrics.get(name) ?? new Map<string, Set<string>>();
    metrics.set(name, labels);
    for (const [, label = '', value = ''] of braces.matchAll(/(\w+)="([^"]*)"/g)) {
      labels.set(label, (labels.get(label) ?? new Set()).add(value));
    }
  }
  return metrics;
}

/** Place -> expression. */
function expressions(): Map<string, string> {
  const { panels, templating } = monitoring.dashboard();
  return new Map([
    ...monitoring.rules().map((rule) => [rule.alert ?? rule.record ?? '', rule.expr] as const),
    ...panels.flatMap((panel) =>
      panel.targets.map(({ expr }, at) => [`${panel.title} ${at}`, expr] as const),
    ),
    ...templating.list.flatMap(({ name, definition }) => {
      const [, metric = ''] = /^label_values\((.*), \w+\)$/.exec(definition ?? '') ?? [];
      return definition === undefined ? [] : [[`variable ${name}`, metric] as const];
    }),
  ]);
}

test('[contract 7.6] every metric, label and value of rules and dashboard exists', async () => {
  const metrics = await exported();
  const records = new Set(monitoring.rules().map((rule) => rule.record));
  const allLabels = new Set([
    ...TARGET_LABELS,
    ...[...metrics.values()].flatMap((labels) => [...labels.keys()]),
  ]);
  for (const [place, expr] of expressions()) {
    const { selectors, labels } = monitoring.namesOf(expr);
    ok(selectors.length > 0, `${place}: ${expr}`);
    for (const label of labels) ok(allLabels.has(label), `${place}: label ${label}`);
    for (const { metric, matchers } of selectors) {
      if (records.has(metric)) continue;
      const known = metric === 'up' ? new Map() : metrics.get(metric);
      ok(known !== undefined, `${place}: metric ${metric}`);
      for (const [label, value] of matchers) {
        ok(known.has(label) || TARGET_LABELS.includes(label), `${place}: ${metric}{${label}}`);
        if (!['state', 'reason', 'cause'].includes(label)) continue;
        for (const one of value.split('|')) {
          ok(known.get(label)?.has(one), `${place}: ${metric}{${label}="${one}"}`);
        }
      }
    }
  }
});

test('the reader of expressions overlooks nothing', () => {
  deepEqual(
    monitoring.namesOf('sum by (a, b) (rate(x_total{c="d", e=~"f|g"}[5m])) / on (a) y > 2'),
    {
      selectors: [
        {
          metric: 'x_total',
          matchers: [
            ['c', 'd'],
            ['e', 'f|g'],
          ],
        },
        { metric: 'y', matchers: [] },
      ],
      labels: ['a', 'b', 'a'],
    },
  );
  deepEqual(
    monitoring
      .namesOf('time() - a:b:rate5m unless z{} == bool 0')
      .selectors.map((one) => one.metric),
    ['a:b:rate5m', 'z'],
  );
});

test('[contract 7.6] promtool accepts the rules, and their tests pass', { skip }, () => {
  const checked = promtool(['check', 'rules', '--lint=all', monitoring.RULES_FILE]);
  equal(checked.status, 0, checked.said);
  const tested = promtool(['test', 'rules', monitoring.RULE_TESTS_FILE]);
  equal(tested.status, 0, tested.said);
  match(tested.said, /SUCCESS/);
});

test('every alert has a case in which it fires and one in which it is silent', () => {
  const cases = monitoring.ruleTests().flatMap((one) => one.alert_rule_test ?? []);
  const alerts = monitoring.rules().flatMap((rule) => rule.alert ?? []);
  const casesOf = (isFiring: boolean): string[] =>
    cases
      .filter((one) => one.exp_alerts.length > 0 === isFiring)
      .map((one) => one.alertname)
      .filter((name, at, all) => all.indexOf(name) === at);
  deepEqual(casesOf(true).sort(), [...alerts].sort());
  deepEqual(casesOf(false).sort(), [...alerts].sort());
  const exprs = monitoring.ruleTests().flatMap((one) => one.promql_expr_test ?? []);
  deepEqual(
    exprs.map((one) => one.expr),
    monitoring.rules().flatMap((rule) => rule.record ?? []),
  );
});

test('every alert has what it is, what it means and what to do', () => {
  for (const { alert, labels, annotations = {} } of monitoring.rules()) {
    if (alert === undefined) continue;
    ok(['critical', 'warning'].includes(labels?.severity ?? ''), alert);
    deepEqual(Object.keys(annotations), ['summary', 'description', 'runbook'], alert);
    for (const text of Object.values(annotations)) ok(text.length > 20, `${alert}: ${text}`);
    match(annotations.summary ?? '', /\$labels\.instance/, alert);
  }
});

test('[contract 7.6] the dashboard can be provisioned: own id, data source a variable', () => {
  const { uid, schemaVersion, panels, templating } = monitoring.dashboard();
  ok(!/"__inputs"|"id": null/.test(fileText(monitoring.DASHBOARD_FILE)));
  deepEqual([uid, schemaVersion], ['ipmpd', 38]);
  deepEqual(
    templating.list.map(({ name, type }) => `${name} ${type}`),
    ['datasource datasource', 'instance query', 'group query'],
  );
  equal(new Set(panels.map((panel) => panel.id)).size, panels.length);
  for (const { title, description, datasource, targets } of panels) {
    ok(title !== '' && description !== '' && targets.length > 0, title);
    for (const { uid: of } of [datasource, ...targets.map((target) => target.datasource)]) {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's form of a variable.
      equal(of, '${datasource}', title);
    }
  }
});

test('no two panels of the dashboard lie on each other', () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of monitoring.dashboard().panels) {
    ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        equal(taken.get(`${x} ${y}`), undefined, title);
        taken.set(`${x} ${y}`, title);
      }
    }
  }
});

test('promtool accepts every expression of the dashboard', { skip }, () => {
  const exprs = monitoring.dashboard().panels.flatMap((panel) => panel.targets);
  const rules = exprs.map(({ expr }, at) => ({
    record: `panel:${at}`,
    expr: monitoring.filledIn(expr),
  }));
  ok(!rules.some(({ expr }) => expr.includes('$')), 'every variable is filled in');
  const file = stringify({ groups: [{ name: 'dashboard', rules }] });
  const { status, said } = promtoolOf(['check', 'rules', '--lint=none'], file);
  equal(status, 0, said);
  match(said, new RegExp(`SUCCESS: ${rules.length} rules found`));
  const broken = file.replace('max by', 'max bye');
  equal(promtoolOf(['check', 'rules', '--lint=none'], broken).status, 1, 'it does look');
});

test('promtool accepts the configuration that docs/monitoring.md shows', { skip }, () => {
  const text = fileText('docs/monitoring.md');
  const blocks = [...text.matchAll(/```yaml\n# prometheus\.yml\n([\s\S]*?)```/g)];
  ok(blocks.length > 0);
  for (const [, block = ''] of blocks) {
    const { status, said } = promtoolOf(['check', 'config', '--syntax-only'], block);
    equal(status, 0, said);
  }
});

test('docs/monitoring.md names every alert and every metric of ours', async () => {
  const text = fileText('docs/monitoring.md');
  const metrics = [...(await exported()).keys()].filter((name) => name.startsWith('ipmp'));
  const traffic = /_(receive|transmit)_(bytes|packets|errors)_total$/;
  const names = [
    ...monitoring.rules().flatMap((rule) => rule.alert ?? []),
    ...metrics.filter((name) => !traffic.test(name)),
  ];
  deepEqual(
    names.filter((name) => !text.includes(`\`${name}\``)),
    [],
  );
});
