/** All commands by subject, in the order of the help. None is loaded before it is needed. */
import type { Command } from "./command.ts";
import type { Subject } from "./help.ts";

export interface Entry {
  /** As in the declaration; a test compares both. */
  readonly names: readonly [path: string, ...aliases: string[]];
  readonly load: () => Promise<{ readonly command: Command }>;
}

const subjects: readonly { readonly title: string; readonly entries: readonly Entry[] }[] = [
  {
    title: "Bundles",
    entries: [
      { names: ["export bundle"], load: () => import("./commands/export_bundle.ts") },
      { names: ["export bundle verify", "verify"], load: () => import("./commands/verify.ts") },
      { names: ["export bundle list", "list"], load: () => import("./commands/list.ts") },
      { names: ["export bundle show", "show"], load: () => import("./commands/show.ts") },
      { names: ["export bundle diff", "diff"], load: () => import("./commands/diff.ts") },
      { names: ["export bundle unpack", "unpack"], load: () => import("./commands/unpack.ts") },
      { names: ["export bundle push", "push"], load: () => import("./commands/push.ts") },
      { names: ["export bundle pull", "pull"], load: () => import("./commands/pull.ts") },
      { names: ["export bundle load", "load"], load: () => import("./commands/load.ts") },
      { names: ["stick write"], load: () => import("./commands/stick_write.ts") },
    ],
  },
  {
    title: "Risk data",
    entries: [{ names: ["risk query"], load: () => import("./commands/risk_query.ts") }],
  },
  {
    title: "Service",
    entries: [
      { names: ["serve"], load: () => import("./commands/serve.ts") },
      { names: ["status"], load: () => import("./commands/status.ts") },
      { names: ["health"], load: () => import("./commands/health.ts") },
      { names: ["jobs list"], load: () => import("./commands/jobs_list.ts") },
      { names: ["jobs show"], load: () => import("./commands/jobs_show.ts") },
      { names: ["jobs retry"], load: () => import("./commands/jobs_retry.ts") },
      { names: ["jobs cancel"], load: () => import("./commands/jobs_cancel.ts") },
      { names: ["jobs purge"], load: () => import("./commands/jobs_purge.ts") },
      { names: ["timeline"], load: () => import("./commands/timeline.ts") },
      { names: ["spans"], load: () => import("./commands/spans.ts") },
    ],
  },
  {
    title: "Keys and trust",
    entries: [
      { names: ["keys generate"], load: () => import("./commands/keys_generate.ts") },
      { names: ["keys show"], load: () => import("./commands/keys_show.ts") },
      { names: ["keys trust"], load: () => import("./commands/keys_trust.ts") },
      { names: ["trust seen"], load: () => import("./commands/trust_seen.ts") },
    ],
  },
  {
    title: "Configuration and assets",
    entries: [
      { names: ["config check"], load: () => import("./commands/config_check.ts") },
      { names: ["config show"], load: () => import("./commands/config_show.ts") },
      { names: ["config schema"], load: () => import("./commands/config_schema.ts") },
      { names: ["assets list"], load: () => import("./commands/assets_list.ts") },
      { names: ["assets write"], load: () => import("./commands/assets_write.ts") },
    ],
  },
  {
    title: "The program",
    entries: [
      { names: ["version"], load: () => import("./commands/version.ts") },
      { names: ["docs"], load: () => import("./commands/docs.ts") },
      {
        names: ["help"],
        load: async () => {
          const { helpCommand } = await import("./commands/help.ts");
          return { command: helpCommand(loadSubjects) };
        },
      },
      { names: ["completion"], load: () => import("./commands/completion.ts") },
    ],
  },
];

export const entries: readonly Entry[] = subjects.flatMap((subject) => subject.entries);

/** All declarations: for help and completions. */
export function loadSubjects(): Promise<Subject[]> {
  return Promise.all(subjects.map(async ({ title, entries }) => ({
    title,
    commands: await Promise.all(entries.map(async (entry) => (await entry.load()).command)),
  })));
}
