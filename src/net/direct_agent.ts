/**
 * What every agent of ours is made with: without `proxyEnv` it would use the proxies of the
 * environment where NODE_USE_ENV_PROXY is set.
 */
export const directAgent = { keepAlive: true, proxyEnv: {} };
