/** Whose bundle an export of the command line is. */
import { checkName, shown } from "../domain/names.ts";
import { belongsTo, type Profile } from "../config/profile.ts";
import { StellaError } from "../domain/errors.ts";

/**
 * The tenant that was named, else the first of the profile, else `default`.
 * @throws StellaError policy where the profile is another tenant's; usage
 */
export function exportTenant(named: string | undefined, profile: Profile): string {
  const tenant = checkName("tenant", named ?? profile.tenants?.[0] ?? "default");
  if (belongsTo(profile, tenant)) return tenant;
  const what = `Cannot export the profile ${shown(profile.name)} for the tenant ${shown(tenant)}`;
  throw new StellaError("policy", `${what}: it is not one of the profile's tenants`, {
    hint: `name one of them with --tenant: ${profile.tenants?.join(", ")}`,
  });
}
