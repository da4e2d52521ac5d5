#include "agent/orders.h"

#include <assert.h>
#include <string.h>

typedef Vpsie__Autoscaler__V1__Directive WireDirective;
typedef Vpsie__Autoscaler__V1__PrepareDrain WirePrepareDrain;

void orders_init(struct orders *orders, int64_t interval_ms)
{
    assert(interval_ms > 0);
    *orders = (struct orders){.interval_ms = interval_ms};
}

void orders_free(struct orders *orders)
{
    wire_ack_free(orders->drain_ack);
    orders->drain_ack = NULL;
}

static const WirePrepareDrain *drain_of(const struct orders *orders)
{
    return orders->drain_ack ? orders->drain_ack->directive->prepare_drain : NULL;
}

const char *orders_drain_id(const struct orders *orders)
{
    const WirePrepareDrain *drain = drain_of(orders);
    return drain ? drain->id : NULL;
}

static bool set_interval(struct orders *orders, uint32_t interval_ms)
{
    int64_t bounded_ms = interval_ms;
    if (bounded_ms < WIRE_INTERVAL_MS_MIN)
        bounded_ms = WIRE_INTERVAL_MS_MIN;
    if (bounded_ms > WIRE_INTERVAL_MS_MAX)
        bounded_ms = WIRE_INTERVAL_MS_MAX;
    bool changed = bounded_ms != orders->interval_ms;
    orders->interval_ms = bounded_ms;
    return changed;
}

static enum orders_change take_drain(struct orders *orders, WireAck *ack)
{
    const char *open_id = orders_drain_id(orders);
    bool same = open_id && strcmp(open_id, ack->directive->prepare_drain->id) == 0;
    wire_ack_free(orders->drain_ack);
    orders->drain_ack = ack;
    if (same)
        return ORDERS_SAME;
    orders->answered = false;
    return ORDERS_DRAIN_BEGUN;
}

enum orders_change orders_take(struct orders *orders, WireAck *ack)
{
    enum orders_change change = ORDERS_SAME;
    if (ack->next_interval_ms > 0 && set_interval(orders, ack->next_interval_ms))
        change = ORDERS_INTERVAL;
    const WireDirective *directive = ack->directive;
    switch (directive ? directive->kind_case : VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND__NOT_SET) {
    case VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_PREPARE_DRAIN: {
        enum orders_change drain = take_drain(orders, ack); // owns the ack now
        return drain == ORDERS_SAME ? change : drain;
    }
    case VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_CANCEL_DRAIN:
        if (orders->drain_ack && strcmp(orders_drain_id(orders), directive->cancel_drain->id) == 0) {
            orders_free(orders);
            change = ORDERS_DRAIN_CANCELLED;
        }
        break;
    case VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_SET_INTERVAL:
        if (set_interval(orders, directive->set_interval->interval_ms))
            change = ORDERS_INTERVAL;
        break;
    default: break;
    }
    wire_ack_free(ack);
    return change;
}

bool orders_expire(struct orders *orders, int64_t now_wall_ms)
{
    const WirePrepareDrain *drain = drain_of(orders);
    if (!drain || !orders->answered || now_wall_ms <= drain->deadline_ms)
        return false;
    orders_free(orders);
    return true;
}

// The generated arrays are char **; nobody writes through them.
static const char *const *texts(char *const *from)
{
    return (const char *const *)from;
}

bool orders_question(const struct orders *orders, struct readiness_question *out)
{
    const WirePrepareDrain *drain = drain_of(orders);
    if (!drain)
        return false;
    *out = (struct readiness_question){
        .uids = texts(drain->pod_uids),
        .uid_count = drain->n_pod_uids,
        .ignore_uids = texts(drain->ignore_local_data_uids),
        .ignore_uid_count = drain->n_ignore_local_data_uids,
        .ignore_volumes = texts(drain->ignore_local_data_volumes),
        .ignore_volume_count = drain->n_ignore_local_data_volumes,
    };
    return true;
}

int64_t orders_interval_ms(const struct orders *orders)
{
    bool drain = orders->drain_ack && orders->interval_ms > ORDERS_DRAIN_INTERVAL_MS;
    return drain ? ORDERS_DRAIN_INTERVAL_MS : orders->interval_ms;
}
