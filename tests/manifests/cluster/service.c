#include "tests/manifests/cluster/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/arena.h"

#define CONNECTIONS_MAX 64
#define LOOK_EVERY_MS   200
#define PIECE_BYTES     16384

struct connection {
    int ends[2]; // the agent's, the coordinator's; -1: free
};
struct service {
    struct kubelets *kubelets;
    int listener;
    pthread_t thread;
    atomic_bool stopping;
    struct connection connections[CONNECTIONS_MAX];
};

static struct sockaddr_in address_of(const char *ip)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(SERVICE_PORT))};
    inet_pton(AF_INET, ip, &address.sin_addr);
    return address;
}

static void end(struct connection *connection)
{
    for (int i = 0; i < 2; i++) {
        if (connection->ends[i] >= 0) {
            close(connection->ends[i]);
        }
        connection->ends[i] = -1;
    }
}

static int call_coordinator(struct service *service)
{
    char ip[24];
    if (!kubelets_pick(service->kubelets, ip, sizeof ip)) {
        return -1;
    }
    struct sockaddr_in address = address_of(ip);
    int end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(end, (const struct sockaddr *)&address, sizeof address) < 0) {
        close(end);
        return -1;
    }
    return end;
}

static void take(struct service *service)
{
    int agent = accept4(service->listener, NULL, NULL, SOCK_CLOEXEC);
    struct connection *connection = NULL;
    for (int i = 0; i < CONNECTIONS_MAX && connection == NULL; i++) {
        connection = service->connections[i].ends[0] < 0 ? &service->connections[i] : NULL;
    }
    if (agent < 0 || connection == NULL) {
        close(agent);
        return;
    }
    connection->ends[0] = agent;
    connection->ends[1] = call_coordinator(service);
    if (connection->ends[1] < 0) {
        end(connection);
    }
}

// False when one end has nothing more to say.
static bool carry(int from, int to)
{
    char piece[PIECE_BYTES];
    ssize_t got = read(from, piece, sizeof piece);
    for (ssize_t sent = 0; sent < got;) {
        ssize_t written = write(to, piece + sent, (size_t)(got - sent));
        if (written <= 0) {
            return false;
        }
        sent += written;
    }
    return got > 0;
}

static void *serve(void *context)
{
    struct service *service = context;
    while (!atomic_load(&service->stopping)) {
        struct pollfd waits[1 + 2 * CONNECTIONS_MAX] = {{.fd = service->listener, .events = POLLIN}};
        for (int i = 0; i < CONNECTIONS_MAX; i++) { // a negative descriptor is passed over
            waits[1 + 2 * i] = (struct pollfd){.fd = service->connections[i].ends[0], .events = POLLIN};
            waits[2 + 2 * i] = (struct pollfd){.fd = service->connections[i].ends[1], .events = POLLIN};
        }
        if (poll(waits, 1 + 2 * CONNECTIONS_MAX, LOOK_EVERY_MS) <= 0) {
            continue;
        }
        for (int i = 0; i < 2 * CONNECTIONS_MAX; i++) {
            struct connection *connection = &service->connections[i / 2];
            if (waits[1 + i].revents != 0 && connection->ends[0] >= 0 &&
                !carry(connection->ends[i % 2], connection->ends[1 - i % 2])) {
                end(connection);
            }
        }
        if (waits[0].revents != 0) {
            take(service);
        }
    }
    return NULL;
}

struct service *service_start(struct kubelets *kubelets)
{
    struct service *service = xcalloc(1, sizeof *service);
    struct sockaddr_in address = address_of(KUBELETS_SERVICE_ADDRESS);
    int on = 1;
    service->kubelets = kubelets;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        service->connections[i] = (struct connection){.ends = {-1, -1}};
    }
    service->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(service->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(service->listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(service->listener, CONNECTIONS_MAX) < 0 ||
        pthread_create(&service->thread, NULL, serve, service) != 0) {
        fprintf(stderr, "service: %s:%s: %s\n", KUBELETS_SERVICE_ADDRESS, SERVICE_PORT, strerror(errno));
        abort();
    }
    return service;
}

void service_stop(struct service *service)
{
    atomic_store(&service->stopping, true);
    pthread_join(service->thread, NULL);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        end(&service->connections[i]);
    }
    close(service->listener);
    free(service);
}
