# What every route shares, as a template of Nomad's. It is no static configuration, so that it changes without a restart,
# and not in the services' tags: two releases with different tags would have no route at all.
http:
  routers:
    # The API's routes leave these out as well.
    hidden:
      rule: "PathPrefix(`/metrics`) || PathPrefix(`/health/ready`)"
      priority: 10000
      entryPoints: [websecure]
      middlewares: [not-found]
      service: noop@internal
    # No instance is healthy: Consul has none to route to.
    absent:
      rule: '{{ env "SITE" }}'
      priority: 2
      entryPoints: [websecure]
      middlewares: [absent]
      service: noop@internal
    elsewhere:
      rule: "PathPrefix(`/`)"
      priority: 1
      entryPoints: [websecure]
      middlewares: [not-found]
      service: noop@internal
    # For the check of the same name.
    routes: {rule: "Path(`/routes`)", entryPoints: [inside], middlewares: [headers, public], service: ping@internal}
{{- if nomadVarExists "nomad/jobs/traefik/traefik" }}{{ with nomadVar "nomad/jobs/traefik/traefik" }}
    # A canary's share of the visitors (upschedule.deploy.share). Where Traefik cannot build these, the API's route of
    # the old release, which is lower, serves all visitors; requests with the canary's header have a higher one.
    shared: {rule: '{{ env "SITE" }}', priority: 12, entryPoints: [websecure], middlewares: [public], service: shared}
    shared-feeds:
      rule: '{{ env "SITE" }} && PathRegexp(`^/calendars/[^/]+[.]ics$`)'
      priority: 13
      entryPoints: [websecure]
      middlewares: [public]
      service: shared-feeds
{{- end }}{{ end }}
    unreachable: {rule: "Path(`/faults/502`)", entryPoints: [inside], middlewares: [unreachable], service: noop@internal}
    slow: {rule: "Path(`/faults/504`)", entryPoints: [inside], middlewares: [slow], service: noop@internal}
  middlewares:
    # The name that the API's routes use.
    public: {chain: {middlewares: [guard, faults, retry]}}
    # What the client sent wrong would otherwise be answered as a fault of the service, or without a word.
    guard: {plugin: {faults: {status: 0}}}
    # The policies that differ by answer are the API's alone: these would replace them.
    headers:
      headers:
        stsSeconds: {{ env "HSTS_SECONDS" }}
        frameDeny: true
        customResponseHeaders: {Server: ""}
    # What no instance has seen is tried again, and of methods that may be repeated what got no answer: for longer than
    # it takes until an instance that was killed is no longer among those who are asked. It allocates the largest body
    # that it could send again for every GET, 2 MiB by default; nothing that is tried again has one here.
    retry: {retry: {attempts: 10, initialInterval: 100ms, status: ["502"], maxRequestBodyBytes: 1024}}
    # The API answers neither of these itself.
    faults: {errors: {status: ["502", "504"], service: faults, query: "/faults/{status}"}}
    unreachable: {plugin: {faults: {status: 502, retryAfter: "5", detail: "The service did not answer. Try again in a few seconds."}}}
    slow: {plugin: {faults: {status: 504, detail: "The service took too long. Look whether your change was made before you try again."}}}
    absent: {plugin: {faults: {status: 503, retryAfter: "5", detail: "The service is starting or being repaired. Try again in a few seconds."}}}
    not-found: {plugin: {faults: {status: 404, detail: "There is nothing at this address."}}}
  services:
    faults: {loadBalancer: {servers: [{url: "http://{{ env "NOMAD_ADDR_inside" }}"}]}}
{{- if nomadVarExists "nomad/jobs/traefik/traefik" }}{{ with nomadVar "nomad/jobs/traefik/traefik" }}
    shared:
      weighted:
        services: &shares
          - {name: "old-{{ .percent }}", weight: {{ subtract (.percent.Value | parseInt) 100 }}}
          - {name: "canary-{{ .instance }}", weight: {{ .percent }}}
        # A visitor stays with one release. The old one's name changes with each step, so that some of its visitors move
        # to the canary then; the canary's stays. Nothing in the cookie is a visitor's own.
        sticky: {cookie: {name: upschedule-share, httpOnly: true, secure: true, sameSite: lax, maxAge: 3600}}
    # Calendar programs get no cookie.
    shared-feeds: {weighted: {services: *shares}}
    "old-{{ .percent }}": {weighted: {services: [{name: api@consulcatalog, weight: 1}]}}
    # Without its own check, which needs neither Consul nor the command that set the share, the canary gets nothing.
    "canary-{{ .instance }}": {failover: {service: canary, fallback: api@consulcatalog}}
    canary:
      loadBalancer:
        servers: [{url: "http://{{ .address }}"}]
        healthCheck:
          path: "/health/ready/share?instance={{ .instance }}&until={{ .until }}"
          interval: 1s
          unhealthyInterval: 1s
          timeout: 1s
{{- end }}{{ end }}
tls:
  options:
    default:
      minVersion: VersionTLS12
      sniStrict: {{ env "SNI_STRICT" }}
      cipherSuites:
        - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        - TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
{{- with nomadVar "nomad/jobs/traefik" }}{{ if .certificate.Value }}
  certificates:
    - {certFile: {{ .certificate.Value | toJSON }}, keyFile: {{ .key.Value | toJSON }}}
  stores:
    default:
      defaultCertificate: {certFile: {{ .certificate.Value | toJSON }}, keyFile: {{ .key.Value | toJSON }}}
{{- end }}{{ end }}
