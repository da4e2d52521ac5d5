// What this room is for: /healthz, /readyz and /metrics over plain HTTP, by libmicrohttpd, with limits and
// timeouts. What it knows: the metrics registry and one callback. What it may not do: serve anything else, or
// need a thread more than one.
#ifndef VPSIE_COMMON_WEB_H
#define VPSIE_COMMON_WEB_H

#include <stdbool.h>

#include "common/error.h"
#include "common/text.h"

struct web;

// Fills `why` with one line (or several) and returns whether the program is healthy/ready. Called on the web
// thread.
typedef bool (*web_probe)(void *context, struct text *why);
typedef void (*web_refresh)(void *context); // called before /metrics is rendered; may be NULL

struct web_options {
    const char *listen; // "0.0.0.0:9090", "[::]:9090", "127.0.0.1:0" (0: any free port), "" = off
    web_probe health;   // NULL: always healthy
    web_probe ready;
    web_refresh refresh;
    void *context;
};
// NULL with an error that names the address, or NULL without (error->text empty) when listen is "".
struct web *web_start(const struct web_options *options, struct error *error);
int web_port(const struct web *web);
void web_stop(struct web *web); // NULL is fine

#endif
