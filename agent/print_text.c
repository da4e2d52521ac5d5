#include "agent/print.h"

#include <inttypes.h>

typedef Vpsie__Autoscaler__V1__Utilization WireUtilization;
typedef Vpsie__Autoscaler__V1__Pressure WirePressure;
typedef Vpsie__Autoscaler__V1__Filesystem WireFilesystem;
typedef Vpsie__Autoscaler__V1__PodEvidence WirePod;
typedef Vpsie__Autoscaler__V1__Readiness WireReadiness;

static const char *size_text(bool known, uint64_t bytes, char buffer[32])
{
    if (!known)
        return "unknown";
    text_format_bytes(buffer, 32, bytes);
    return buffer;
}

static void print_cpu(const WireUtilization *use, struct text *out)
{
    const Vpsie__Autoscaler__V1__CpuModes *cpu = use->cpu;
    if (!cpu) {
        text_append(out, "cpu          unknown\n");
        return;
    }
    unsigned busy =
        cpu->user_millis + cpu->nice_millis + cpu->system_millis + cpu->irq_millis + cpu->softirq_millis;
    text_printf(out, "cpu          %u of %u millis busy (user %u, system %u, iowait %u, steal %u)\n", busy,
                use->cpu_count * 1000, cpu->user_millis + cpu->nice_millis, cpu->system_millis,
                cpu->iowait_millis, cpu->steal_millis);
}

static void print_memory(const WireUtilization *use, struct text *out)
{
    char total[32], available[32], working_set[32], swap[32];
    text_printf(out, "memory       %s, %s available, working set %s, swap %s used\n",
                size_text(use->has_memory_total_bytes, use->memory_total_bytes, total),
                size_text(use->has_memory_available_bytes, use->memory_available_bytes, available),
                size_text(use->has_memory_working_set_bytes, use->memory_working_set_bytes, working_set),
                size_text(use->has_swap_used_bytes, use->swap_used_bytes, swap));
}

static void print_pressure(const char *name, const WirePressure *pressure, struct text *out)
{
    if (!pressure)
        text_printf(out, "  %-10s unknown\n", name);
    else
        text_printf(out, "  %-10s some %.2f%%, full %.2f%% of 10 s; some %.2f%%, full %.2f%% of 60 s\n", name,
                    (double)pressure->some_avg10, (double)pressure->full_avg10, (double)pressure->some_avg60,
                    (double)pressure->full_avg60);
}

static void print_filesystem(const char *name, const WireFilesystem *filesystem, struct text *out)
{
    char total[32], available[32];
    if (!filesystem)
        return;
    text_printf(out, "%-12s %s, %s available; %" PRIu64 " of %" PRIu64 " inodes free\n", name,
                size_text(true, filesystem->total_bytes, total),
                size_text(true, filesystem->available_bytes, available), filesystem->free_inodes,
                filesystem->total_inodes);
}

static void print_utilization(const WireUtilization *use, struct text *out)
{
    char receive[32], transmit[32];
    print_cpu(use, out);
    print_memory(use, out);
    if (use->has_load1)
        text_printf(out, "load         %.2f %.2f %.2f\n", use->load1, use->load5, use->load15);
    text_append(out, "pressure\n");
    print_pressure("cpu", use->cpu_pressure, out);
    print_pressure("memory", use->memory_pressure, out);
    print_pressure("io", use->io_pressure, out);
    print_filesystem("root", use->root_filesystem, out);
    print_filesystem("images", use->image_filesystem, out);
    text_printf(
        out, "network      in %s/s, out %s/s\n",
        size_text(use->has_network_receive_bytes_per_second, use->network_receive_bytes_per_second, receive),
        size_text(use->has_network_transmit_bytes_per_second, use->network_transmit_bytes_per_second,
                  transmit));
    if (use->has_processes)
        text_printf(out, "processes    %u\n", use->processes);
}

static void print_count(struct text *out, bool known, unsigned count)
{
    if (known)
        text_printf(out, " %7u", count);
    else
        text_append(out, "       ?");
}

static void print_pod(const WirePod *pod, struct text *out)
{
    char memory[32], data[32];
    text_printf(out, "  %-36s", pod->uid);
    print_count(out, pod->has_cpu_millis, pod->cpu_millis);
    text_printf(out, " %10s %10s",
                pod->has_memory_working_set_bytes ? size_text(true, pod->memory_working_set_bytes, memory)
                                                  : "?",
                pod->has_local_data_bytes ? size_text(true, pod->local_data_bytes, data) : "?");
    print_count(out, pod->has_established_connections, pod->established_connections);
    print_count(out, pod->has_processes, pod->processes);
    text_printf(out, "%s\n", pod->host_network ? " host network" : "");
}

static void print_readiness(const WireReadiness *readiness, struct text *out)
{
    static const char *const names[] = {"UNKNOWN", "READY", "BUSY", "BLOCKED"};
    text_printf(out, "readiness    %s\n", readiness->state < 4 ? names[readiness->state] : "?");
    for (size_t i = 0; i < readiness->n_reasons; i++) {
        const Vpsie__Autoscaler__V1__Reason *reason = readiness->reasons[i];
        text_printf(out, "  %-10s%s%s%s%s: %s\n", reason->code, *reason->pod_uid ? " pod " : "",
                    reason->pod_uid, *reason->subject ? " " : "", reason->subject, reason->detail);
    }
}

void print_text(const WireReport *report, struct text *out)
{
    text_printf(out, "node         %s\n", report->node_name);
    if (report->utilization)
        print_utilization(report->utilization, out);
    text_printf(out, "pods         %zu\n", report->n_pods);
    if (report->n_pods > 0)
        text_printf(out, "  %-36s %7s %10s %10s %7s %7s\n", "UID", "MILLIS", "MEMORY", "HELD", "CONNS",
                    "PROCS");
    for (size_t i = 0; i < report->n_pods; i++)
        print_pod(report->pods[i], out);
    if (report->readiness)
        print_readiness(report->readiness, out);
    for (size_t i = 0; i < report->n_notes; i++)
        text_printf(out, "%s%s\n", i == 0 ? "not known    " : "             ", report->notes[i]);
}
