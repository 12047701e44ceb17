/*
 * Prometheus metrics for a kernel.
 *
 * Freestanding C11: no libc, no memory allocation, no locks, no floating point.
 * Everything lives in storage that the caller declares, usually statically.
 *
 *     PROMETHEUS_COUNTER(request_count, "cloudos_kernel_requests_total",
 *                        "System calls handled.");
 *     PROMETHEUS_GAUGE(memory_usage, "cloudos_kernel_memory_bytes",
 *                      "Memory the kernel holds.");
 *
 *     prometheus_register(&request_count->series);      // once, at boot
 *     prometheus_register(&memory_usage->series);
 *
 *     prometheus_counter_inc(request_count);            // anywhere, any CPU
 *     prometheus_gauge_set(memory_usage, current_usage);
 *
 *     prometheus_render(buffer, sizeof buffer);         // text for a scrape
 *
 * Words: a *family* has a name, a help text and a type; a *series* is one set of
 * labels within it, and carries the value.
 *
 * Any function may be called at any time on any CPU, also in an interrupt. An
 * update is one atomic instruction. A render sees every value as it is at some
 * moment during the call.
 */
#ifndef PROMETHEUS_CLIENT_H
#define PROMETHEUS_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#error "this header uses C11 atomics; include it from C"
#endif

enum prometheus_type {
    PROMETHEUS_TYPE_COUNTER,
    PROMETHEUS_TYPE_GAUGE,
    PROMETHEUS_TYPE_HISTOGRAM,
};

enum prometheus_error {
    PROMETHEUS_OK = 0,
    /* The series is in the exposition already. */
    PROMETHEUS_ALREADY_REGISTERED,
    /* A metric or label name has a character that Prometheus does not allow. */
    PROMETHEUS_INVALID_NAME,
    /* The bounds of a histogram do not rise. */
    PROMETHEUS_INVALID_BOUNDS,
};

struct prometheus_label {
    const char *name;
    const char *value;
};

struct prometheus_series;

struct prometheus_family {
    const char *name;
    const char *help;
    enum prometheus_type type;
    /*
     * Values are integers; this says how many of their digits come after the
     * decimal point. With 9, nanoseconds become seconds.
     */
    unsigned decimals;
    _Atomic(struct prometheus_series *) first;
    _Atomic(struct prometheus_family *) next;
    atomic_bool registered;
};

struct prometheus_series {
    struct prometheus_family *family;
    const struct prometheus_label *labels;
    size_t label_count;
    _Atomic(struct prometheus_series *) next;
    atomic_bool registered;
};

struct prometheus_counter {
    struct prometheus_series series;
    _Atomic uint64_t value;
};

struct prometheus_gauge {
    struct prometheus_series series;
    _Atomic int64_t value;
};

struct prometheus_histogram {
    struct prometheus_series series;
    /* Upper bounds, rising; +Inf is implied. */
    const uint64_t *bounds;
    size_t bound_count;
    /* bound_count + 1 counters, zero at first. */
    _Atomic uint64_t *buckets;
    _Atomic uint64_t sum;
};

/* --- Declaring --------------------------------------------------------------
 * Each macro defines a metric without labels and a pointer to it. Metrics with
 * labels are written out: one family, and one structure for each series:
 *
 *     PROMETHEUS_FAMILY(net_bytes, PROMETHEUS_TYPE_COUNTER, 0,
 *                       "cloudos_kernel_network_bytes_total", "Bytes moved.");
 *     static const struct prometheus_label rx[] = {{"direction", "rx"}};
 *     static struct prometheus_counter net_rx = {
 *         .series = {.family = &net_bytes, .labels = rx, .label_count = 1}};
 */
#define PROMETHEUS_FAMILY(variable, type_, decimals_, name_, help_)            \
    static struct prometheus_family variable = {                              \
        .name = (name_), .help = (help_), .type = (type_), .decimals = (decimals_)}

#define PROMETHEUS_COUNTER(variable, name_, help_)                             \
    PROMETHEUS_FAMILY(variable##_family, PROMETHEUS_TYPE_COUNTER, 0, name_, help_); \
    static struct prometheus_counter variable##_counter = {                   \
        .series = {.family = &variable##_family}};                            \
    static struct prometheus_counter *const variable = &variable##_counter

#define PROMETHEUS_GAUGE(variable, name_, help_)                               \
    PROMETHEUS_FAMILY(variable##_family, PROMETHEUS_TYPE_GAUGE, 0, name_, help_); \
    static struct prometheus_gauge variable##_gauge = {                       \
        .series = {.family = &variable##_family}};                            \
    static struct prometheus_gauge *const variable = &variable##_gauge

/* The bounds are given last: PROMETHEUS_HISTOGRAM(h, 9, "x_seconds", "…", 1000, 2000) */
#define PROMETHEUS_HISTOGRAM(variable, decimals_, name_, help_, ...)           \
    PROMETHEUS_FAMILY(variable##_family, PROMETHEUS_TYPE_HISTOGRAM, decimals_, name_, help_); \
    static const uint64_t variable##_bounds[] = {__VA_ARGS__};                \
    static _Atomic uint64_t                                                   \
        variable##_buckets[sizeof variable##_bounds / sizeof *variable##_bounds + 1]; \
    static struct prometheus_histogram variable##_histogram = {               \
        .series = {.family = &variable##_family},                             \
        .bounds = variable##_bounds,                                          \
        .bound_count = sizeof variable##_bounds / sizeof *variable##_bounds,  \
        .buckets = variable##_buckets};                                       \
    static struct prometheus_histogram *const variable = &variable##_histogram

/* --- Registering ------------------------------------------------------------ */

/* Adds a series, and its family with the first one, to the exposition. */
enum prometheus_error prometheus_register(struct prometheus_series *series);

/* --- Updating --------------------------------------------------------------- */

void prometheus_counter_inc(struct prometheus_counter *counter);
void prometheus_counter_add(struct prometheus_counter *counter, uint64_t amount);

void prometheus_gauge_set(struct prometheus_gauge *gauge, int64_t value);
void prometheus_gauge_inc(struct prometheus_gauge *gauge);
void prometheus_gauge_dec(struct prometheus_gauge *gauge);
void prometheus_gauge_add(struct prometheus_gauge *gauge, int64_t amount);

void prometheus_histogram_observe(struct prometheus_histogram *histogram, uint64_t value);

/* --- Rendering -------------------------------------------------------------- */

/*
 * Writes all metrics in the Prometheus text format (0.0.4) and ends them with a
 * zero byte. Returns the length of the whole text without the zero byte; if that
 * is not less than `size`, the buffer was too small and its text is cut off.
 */
size_t prometheus_render(char *buffer, size_t size);

#endif
