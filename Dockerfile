# PoolMQ with its examples: for workers, and for the demo's producer. It builds with BuildKit and with the classic builder.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# The manifests come first: the dependencies are installed again only when one of these changes.
COPY package.json pnpm-workspace.yaml pnpm-lock.yaml ./
COPY packages/shared/package.json packages/shared/
COPY packages/worker/package.json packages/worker/
COPY packages/client/package.json packages/client/
COPY examples/package.json examples/
RUN npm install --global "$(node -p "require('./package.json').packageManager.split('+')[0]")" \
 && pnpm install --frozen-lockfile
COPY tsconfig.base.json ./
COPY packages packages
COPY examples examples
RUN pnpm exec tsc -b examples
# What only the build needed goes. All packages are in pnpm's store by now.
RUN rm -rf node_modules packages/*/node_modules examples/node_modules \
 && pnpm install --prod --frozen-lockfile --offline \
 && chmod 755 packages/worker/bin/poolmq.js

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
# The container's first process gets what tasks have started and not waited for: an init ends and reaps it.
RUN if command -v apk; then apk add --no-cache tini; \
    else apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*; fi
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/packages packages
COPY --from=build /app/examples examples
RUN ln -s /app/packages/worker/bin/poolmq.js /usr/local/bin/poolmq
USER node
# `-s`: it does its work under another init as well (`init: true`, `docker run --init`).
ENTRYPOINT ["tini", "-s", "--"]
CMD ["poolmq", "--help"]
