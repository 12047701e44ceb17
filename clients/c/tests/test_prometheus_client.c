/* The library is compiled freestanding; this program around it is an ordinary one. */
#include "../prometheus_client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

static void check(int condition, const char *what)
{
    if (condition) {
        passed++;
    } else {
        failed++;
        printf("FAILED: %s\n", what);
    }
}

static char text[16384];

static void check_contains(const char *expected)
{
    size_t length = prometheus_render(text, sizeof text);
    check(length == strlen(text), "render returns the length of the text");
    check(strstr(text, expected) != NULL, expected);
    if (strstr(text, expected) == NULL)
        printf("--- in\n%s---\n", text);
}

PROMETHEUS_COUNTER(request_count, "test_requests_total", "Requests \\ and\nlines.");
PROMETHEUS_GAUGE(memory_usage, "test_memory_bytes", "Memory.");
PROMETHEUS_HISTOGRAM(latency, 9, "test_latency_seconds", "Latency.", 1000000, 10000000, 2500000000u);

PROMETHEUS_FAMILY(net_bytes, PROMETHEUS_TYPE_COUNTER, 0, "test_network_bytes_total", "Bytes.");
static const struct prometheus_label rx_labels[] = {{"interface", "eth\"0\"\\"}, {"direction", "rx"}};
static const struct prometheus_label tx_labels[] = {{"interface", "two\nlines"}, {"direction", "tx"}};
static struct prometheus_counter net_rx = {.series = {.family = &net_bytes, .labels = rx_labels, .label_count = 2}};
static struct prometheus_counter net_tx = {.series = {.family = &net_bytes, .labels = tx_labels, .label_count = 2}};

static void test_counter_and_gauge(void)
{
    check(prometheus_register(&request_count->series) == PROMETHEUS_OK, "register a counter");
    check(prometheus_register(&request_count->series) == PROMETHEUS_ALREADY_REGISTERED, "register it twice");
    check(prometheus_register(&memory_usage->series) == PROMETHEUS_OK, "register a gauge");
    check_contains("test_requests_total 0\n");

    prometheus_counter_inc(request_count);
    prometheus_counter_add(request_count, 41);
    prometheus_gauge_set(memory_usage, 7);
    check_contains("# HELP test_requests_total Requests \\\\ and\\nlines.\n"
                   "# TYPE test_requests_total counter\n"
                   "test_requests_total 42\n");
    check_contains("# TYPE test_memory_bytes gauge\ntest_memory_bytes 7\n");

    prometheus_gauge_inc(memory_usage);
    prometheus_gauge_dec(memory_usage);
    prometheus_gauge_add(memory_usage, -107);
    check_contains("test_memory_bytes -100\n");
    prometheus_gauge_set(memory_usage, INT64_MIN);
    check_contains("test_memory_bytes -9223372036854775808\n");
    prometheus_counter_add(request_count, UINT64_MAX - 42);
    check_contains("test_requests_total 18446744073709551615\n");
}

static void test_labels(void)
{
    check(prometheus_register(&net_tx.series) == PROMETHEUS_OK, "register a series with labels");
    check(prometheus_register(&net_rx.series) == PROMETHEUS_OK, "register a second one of the family");
    prometheus_counter_add(&net_rx, 10);
    prometheus_counter_add(&net_tx, 20);
    /* One header for both, backslash, quote and newline escaped. */
    check_contains("# TYPE test_network_bytes_total counter\n"
                   "test_network_bytes_total{interface=\"eth\\\"0\\\"\\\\\",direction=\"rx\"} 10\n"
                   "test_network_bytes_total{interface=\"two\\nlines\",direction=\"tx\"} 20\n");
}

static void test_histogram(void)
{
    check(prometheus_register(&latency->series) == PROMETHEUS_OK, "register a histogram");
    prometheus_histogram_observe(latency, 1000000);     /* on a bound: belongs below it */
    prometheus_histogram_observe(latency, 1000001);
    prometheus_histogram_observe(latency, 3000000000u); /* above all */
    check_contains("# TYPE test_latency_seconds histogram\n"
                   "test_latency_seconds_bucket{le=\"0.001\"} 1\n"
                   "test_latency_seconds_bucket{le=\"0.01\"} 2\n"
                   "test_latency_seconds_bucket{le=\"2.5\"} 2\n"
                   "test_latency_seconds_bucket{le=\"+Inf\"} 3\n"
                   "test_latency_seconds_sum 3.002000001\n"
                   "test_latency_seconds_count 3\n");
}

static void test_decimals(void)
{
    static const struct {
        int64_t value;
        unsigned decimals;
        const char *expected;
    } cases[] = {
        {0, 0, "0"},         {0, 3, "0"},       {5, 3, "0.005"},    {500, 3, "0.5"},
        {1000, 3, "1"},      {1500, 3, "1.5"},  {-1050, 2, "-10.5"}, {100, 0, "100"},
        {1, 22, "0.0000000000000000000001"},    {INT64_MAX, 9, "9223372036.854775807"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct prometheus_family family = {
            .name = "test_decimals", .help = "", .type = PROMETHEUS_TYPE_GAUGE};
        static struct prometheus_gauge gauge = {.series = {.family = &family}};
        char expected[64];
        prometheus_register(&gauge.series);
        family.decimals = cases[i].decimals;
        prometheus_gauge_set(&gauge, cases[i].value);
        snprintf(expected, sizeof expected, "\ntest_decimals %s\n", cases[i].expected);
        check_contains(expected);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *name, *label, *value;
        enum prometheus_type type;
        enum prometheus_error expected;
    } cases[] = {
        {"", "a", "", PROMETHEUS_TYPE_GAUGE, PROMETHEUS_INVALID_NAME},
        {"1up", "a", "", PROMETHEUS_TYPE_GAUGE, PROMETHEUS_INVALID_NAME},
        {"with-dash", "a", "", PROMETHEUS_TYPE_GAUGE, PROMETHEUS_INVALID_NAME},
        {"ok", "with:colon", "", PROMETHEUS_TYPE_GAUGE, PROMETHEUS_INVALID_NAME},
        {"ok", "__name__", "", PROMETHEUS_TYPE_GAUGE, PROMETHEUS_INVALID_NAME},
        {"ok", "a", NULL, PROMETHEUS_TYPE_GAUGE, PROMETHEUS_INVALID_NAME},
        {"ok", "le", "1", PROMETHEUS_TYPE_HISTOGRAM, PROMETHEUS_INVALID_NAME},
        {"ok", "a", "", PROMETHEUS_TYPE_HISTOGRAM, PROMETHEUS_INVALID_BOUNDS},
    };
    static const uint64_t falling[] = {2, 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct prometheus_family family = {.name = cases[i].name, .help = "", .type = cases[i].type};
        struct prometheus_label label = {cases[i].label, cases[i].value};
        struct prometheus_histogram metric = {
            .series = {.family = &family, .labels = &label, .label_count = 1}, .bounds = falling, .bound_count = 2};
        check(prometheus_register(&metric.series) == cases[i].expected, cases[i].name);
    }
    prometheus_render(text, sizeof text);
    check(strstr(text, "ok") == NULL, "what was refused is not rendered");
}

static void test_small_buffers(void)
{
    size_t length = prometheus_render(text, sizeof text);
    for (size_t size = 0; size <= length + 1; size++) {
        char *small = malloc(size + 1);
        small[size] = 'X';
        if (prometheus_render(small, size) != length || small[size] != 'X' ||
            (size > 0 && (strlen(small) != size - 1 || memcmp(small, text, size - 1) != 0))) {
            check(0, "a small buffer takes the beginning of the text and no more");
            free(small);
            return;
        }
        free(small);
    }
    check(1, "small buffers");
}

enum { THREADS = 4, ROUNDS = 100000 };
PROMETHEUS_COUNTER(raced, "test_raced_total", "Counted by all threads.");
static struct prometheus_counter raced_series[THREADS];
static char raced_values[THREADS][2];
static struct prometheus_label raced_labels[THREADS];

static void *race(void *argument)
{
    size_t me = (size_t)argument;
    raced_values[me][0] = (char)('0' + me);
    raced_labels[me] = (struct prometheus_label){"thread", raced_values[me]};
    raced_series[me].series =
        (struct prometheus_series){.family = &net_bytes, .labels = &raced_labels[me], .label_count = 1};
    prometheus_register(&raced_series[me].series);
    for (int i = 0; i < ROUNDS; i++) {
        prometheus_counter_inc(raced);
        prometheus_counter_inc(&raced_series[me]);
    }
    return NULL;
}

static void test_many_threads(void)
{
    pthread_t threads[THREADS];
    prometheus_register(&raced->series);
    for (size_t i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, race, (void *)i) == 0, "start a thread");
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    check_contains("test_raced_total 400000\n");
    for (size_t i = 0; i < THREADS; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "{thread=\"%zu\"} 100000\n", i);
        check_contains(expected);
    }
}

int main(int argc, char **argv)
{
    test_counter_and_gauge();
    test_labels();
    test_histogram();
    test_decimals();
    test_refused();
    test_many_threads();
    test_small_buffers();
    /* For another parser's opinion: test_prometheus_client --print */
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        prometheus_render(text, sizeof text);
        fputs(text, stdout);
        return 0;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
