/**
 * Options of every agent: without `proxyEnv` it would use the proxies of the environment if
 * NODE_USE_ENV_PROXY is set.
 */
export const directAgent = { keepAlive: true, proxyEnv: {} };
