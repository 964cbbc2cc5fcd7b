# syntax=docker/dockerfile:1

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The embedded Postgres is for `npm start` and the tests; the proxy needs none.
RUN npm ci --omit=optional --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --omit=optional

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=root:root /app/package.json ./package.json
COPY --from=build --chown=root:root /app/node_modules ./node_modules
COPY --from=build --chown=root:root /app/dist ./dist
# The state file (`[state] path`) must outlive the container: keep it on a volume here.
RUN ln -s /app/dist/src/cli/main.js /usr/local/bin/shardway \
  && mkdir -p /var/lib/shardway /etc/shardway \
  && chown node:node /var/lib/shardway
USER node
VOLUME /var/lib/shardway
EXPOSE 6432 9632
# Alive, not ready: a proxy that waits for its shards must not be restarted for it. SHARDWAY_HEALTH_URL when [http] differs.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.SHARDWAY_HEALTH_URL ?? 'http://127.0.0.1:9632/healthz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# SIGTERM drains. No shell in between: the signal must reach the process.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/dist/src/cli/main.js"]
CMD ["serve", "-c", "/etc/shardway/shardway.toml"]
