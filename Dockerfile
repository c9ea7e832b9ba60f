# The chat service as an image: Node, its shared libraries, the built service and the page. No shell, no package manager.
# It can be built for every CPU architecture of node:26-slim.

# Node without its symbol tables (a fifth of its size), and the shared libraries that its loader asks for.
FROM node:26-slim AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils
RUN mkdir -p /image/usr/local/bin /image/etc /image/chat/rooms \
 && strip --strip-all -o /image/usr/local/bin/node "$(command -v node)" \
 && ldd /image/usr/local/bin/node | grep -o '/[^ ]*' | xargs -I{} cp -L --parents {} /image \
 && echo 'chat:x:10001:10001:chat:/chat:/nologin' > /image/etc/passwd \
 && echo 'chat:x:10001:' > /image/etc/group \
 && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
 && chown 10001:10001 /image/chat/rooms

# The service, compiled.
FROM node:26-slim AS build
WORKDIR /chat
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json server.ts ./
COPY scripts scripts
COPY lib lib
RUN npm run build

FROM scratch AS chat
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="chat" \
      org.opencontainers.image.description="Chat rooms by URL, one text file per room" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="scratch"
COPY --from=runtime /image /
WORKDIR /chat
# Readable for the service's user, though whoever cloned the repository may have a umask of 077.
COPY --chmod=644 package.json ./
COPY --from=build /chat/dist dist
COPY --chmod=755 static static
# The zone of the lines' times. Node brings its own time zone data, so any other works as well.
ENV TZ=UTC NODE_ENV=production
USER 10001:10001
VOLUME /chat/rooms
EXPOSE 8080
STOPSIGNAL SIGTERM
# Node asks the service for `/-/healthy`, which writes nothing: an idle service lets its disk sleep. Each check costs
# 60 ms of CPU, most of it Node's own start.
HEALTHCHECK --interval=30s --timeout=4s --start-period=10s --retries=3 CMD ["node", "-e", "require('node:http').get({port:process.env.PORT||8080,path:'/-/healthy',timeout:3000},(a)=>process.exit(a.statusCode===200?0:1)).on('error',()=>process.exit(1)).on('timeout',()=>process.exit(1))"]
# A small young generation: garbage is collected sooner, and idle live readers cost a third less memory.
ENTRYPOINT ["node", "--max-semi-space-size=4", "/chat/dist/server.js"]

# The package that CHAT_STORE=mysql://… needs, in the version of the lock file.
FROM node:26-slim AS driver
WORKDIR /chat
COPY package.json package-lock.json .npmrc ./
RUN npm pkg set "dependencies.mysql2=$(node -p 'require("./package.json").devDependencies.mysql2')" \
 && npm pkg delete devDependencies peerDependencies peerDependenciesMeta \
 && npm install --ignore-scripts

# The service with that package: docker build --target mysql .
FROM chat AS mysql
COPY --from=driver /chat/node_modules node_modules

# What `docker build .` makes: the service alone.
FROM chat
