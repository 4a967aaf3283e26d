/** What tests need to know of config/prometheus and config/grafana, and of PromQL. */

import { parse } from 'yaml';
import { fileText } from './page.ts';

export const RULES_FILE = 'config/prometheus/ipmpd.rules.yml';
export const RULE_TESTS_FILE = 'config/prometheus/ipmpd.rules.test.yml';
export const DASHBOARD_FILE = 'config/grafana/ipmpd.json';

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** All rules of the rules file, in order. */
export function rules(): Rule[] {
  const { groups } = parse(fileText(RULES_FILE)) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
}

export interface RuleTest {
  readonly alert_rule_test?: readonly { alertname: string; exp_alerts: readonly object[] }[];
  readonly promql_expr_test?: readonly { expr: string }[];
}

/** The cases of the rules' own tests. */
export function ruleTests(): RuleTest[] {
  return (parse(fileText(RULE_TESTS_FILE)) as { tests: RuleTest[] }).tests;
}

export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly description: string;
  readonly datasource: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; h: number };
  readonly targets: readonly { expr: string; datasource: { uid: string } }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { name: string; type: string; definition?: string }[];
  };
}

export function dashboard(): Dashboard {
  return JSON.parse(fileText(DASHBOARD_FILE)) as Dashboard;
}

/** A metric as an expression names it, with the values that its matchers compare labels with. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly (readonly [label: string, value: string])[];
}

const WORDS = new Set(
  'and or unless bool offset by without on ignoring group_left group_right'.split(' '),
);

/**
 * The metrics that a PromQL expression names, and the labels that it groups and joins by. It is
 * not a parser: what it does not know counts as a metric, so that a wrong name is not overlooked.
 */
export function namesOf(expr: string): { selectors: Selector[]; labels: string[] } {
  const labels: string[] = [];
  const rest = expr.replace(
    /\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g,
    (_, _word: string, list: string) => {
      labels.push(...list.split(',').map((label) => label.trim()));
      return ' ';
    },
  );
  const selectors: Selector[] = [];
  const found = rest.matchAll(
    /(?<![\w:.$"])([a-zA-Z_:][\w:]*)(\{[^}]*\})?(\s*\()?(?:\[[^\]]*\])?/g,
  );
  for (const [, metric = '', braces = '', call] of found) {
    if (call !== undefined || WORDS.has(metric)) continue;
    const matchers = [...braces.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g)];
    selectors.push({
      metric,
      matchers: matchers.map(([, label = '', value = '']) => [label, value] as const),
    });
  }
  return { selectors, labels };
}

/** An expression as Grafana sends it: variables filled in. */
export function filledIn(expr: string): string {
  return expr
    .replace(/\$__(rate_)?interval\b/g, '1m')
    .replace(/\$__range\b/g, '6h')
    .replace(/\$(instance|group)\b/g, '.*');
}
