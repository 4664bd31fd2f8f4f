/** A finished bundle, pushed to a registry that the configuration names. */
import type { EgressPolicy } from "../domain/egress.ts";
import type { RegistryConfig, Target } from "../config/profile.ts";
import { renderTag } from "../domain/tag.ts";
import { pushResult, type RegistryReason } from "../net/failure.ts";
import { openRegistry } from "../registry/open.ts";
import { pushBundle } from "../registry/push.ts";
import { parseEndpoint } from "../domain/reference.ts";
import { systemTiming } from "../net/retry.ts";
import type { UploadMemory, UploadSession } from "../registry/sessions.ts";
import type { EmitEvent } from "./job.ts";
import type { Publishing } from "./targets.ts";

type RegistryTarget = Extract<Target, { registry: string }>;

/** @throws StellaError usage, interrupted; RegistryError */
export async function toRegistry(what: Publishing & { target: RegistryTarget }): Promise<void> {
  const { place, target, job, report, emit: emit, signal, policy, memory } = what;
  const started = performance.now();
  const end = (result: "success" | RegistryReason) => {
    const seconds = (performance.now() - started) / 1000;
    emit({ kind: "pushed", registry: target.registry, result, seconds });
  };
  const registry = job.registries.find(({ name }) => name === target.registry)!;
  const client = clientFor(registry, target.repository, policy, memory ?? uploadsOf(job, emit));
  try {
    const { created, profile, tenant, bundleDigest: digest } = report;
    await pushBundle({
      client,
      dir: place,
      repository: target.repository,
      tag: renderTag(target.tag, { created, profile, tenant, digest }),
      mountFrom: othersBefore(target, job),
      progress: (done, total) => emit({ kind: "progress", stage: "push", done, total }),
      signal,
    });
    end("success");
  } catch (error) {
    // Who stopped it is no fault of the registry.
    if (!signal.aborted) end(pushResult(error));
    throw error;
  } finally {
    client.close();
  }
}

/** Repositories of the same registry that this very export went to already: they have all of its blobs. */
function othersBefore(target: RegistryTarget, { profile }: Publishing["job"]): string[] {
  const before = profile.targets.slice(0, profile.targets.indexOf(target));
  const there = before.flatMap((one) =>
    "registry" in one && one.registry === target.registry ? [one.repository] : []
  );
  return [...new Set(there)].filter((name) => name !== target.repository);
}

/** What earlier runs had begun; every change is told, so that the service can keep it. */
function uploadsOf({ uploads = [] }: Publishing["job"], emit: EmitEvent): UploadMemory {
  const known = new Map<string, UploadSession>(uploads);
  return {
    get: (key) => known.get(key),
    set: (key, session) => {
      known.set(key, session);
      emit({ kind: "upload", key, session });
    },
    delete: (key) => {
      if (known.delete(key)) emit({ kind: "upload", key });
    },
  };
}

function clientFor(
  registry: RegistryConfig,
  repository: string,
  policy: EgressPolicy,
  uploads: UploadMemory,
) {
  const { url, plainHttp, name: _, credential: __, ...files } = registry;
  const endpoint = parseEndpoint(url, plainHttp);
  return openRegistry({ endpoint, repository, ...files }, {
    timing: systemTiming,
    policy,
    uploads,
  });
}
