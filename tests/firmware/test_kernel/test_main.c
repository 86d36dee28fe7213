/* The kernel on networks small enough to be worked out by hand. */
#include "board.h"
#include "bs4nn.h"
#include "check.h"

static const uint8_t digest[32] = {0};

/* Two inputs, one output neuron, both signs +1, threshold 2. */
static const uint16_t both_rows[2] = {1, 1};
/* Places of the intensities, the output layer (7 planes, 2 words and a batch of 8), up to a multiple of four, and the order
 * of two pixels. */
#define BOTH_WORDS (128 + 17 + 3 + 1)
static const bs4nn_layer_t both_layers[1] = {{2, 1, 1, 2, 0, 7, 0, 128, NULL, NULL}};
static const bs4nn_network_t both = {
    "both", digest, 4, 3, 1, 1, 3, 0, 0, BOTH_WORDS, both_layers, both_rows,
};

static void test_fires_when_the_second_spike_arrives(void)
{
    uint32_t workspace[BOTH_WORDS];
    bs4nn_t net;
    bs4nn_result_t result;
    const uint8_t early_and_late[2] = {3, 1}; /* steps 0 and floor((3 - 1) * 4 / 3) = 2 */
    const uint8_t one_only[2] = {3, 0};

    CHECK_EQUAL(bs4nn_init(&net, &both, workspace, sizeof workspace), 0);
    CHECK_EQUAL(bs4nn_classify(&net, early_and_late, &result), 0);
    CHECK_EQUAL(result.response_time, 2);
    CHECK_EQUAL(result.spikes, 2);
    CHECK_EQUAL(bs4nn_classify(&net, one_only, &result), 0);
    CHECK_EQUAL(result.response_time, 4); /* never */
    CHECK_EQUAL(result.spikes, 1);
}

/* Three inputs, two hidden neurons (+1 +1 +1 with threshold 2; +1 -1 +1 with threshold 1), and two output
 * neurons that listen to both (+1 +1 and -1 +1), threshold 1. Eight steps, intensities 0 .. 8. */
static const uint32_t pair_columns[3] = {3, 1, 3};
/* Thresholds 2 and 1: no leads (half the distance of 1), so only the odd mask, with neuron 1 in it. */
static const uint32_t pair_start[1] = {2};
/* As above, but first the hidden layer's state: 4 counts, a ring of 16, and one record of 2 with 7 planes. */
#define PAIR_OUTPUT (128 + 4 + 16 + 9)
#define PAIR_WORDS (PAIR_OUTPUT + 17 + 2 + 2)
static const uint16_t pair_out[2] = {1, 3};

static void run_pair(uint8_t delay, const uint8_t *pixels, const uint16_t *times, int32_t first,
                     int32_t second, int answer, uint16_t response_time)
{
    const bs4nn_layer_t layers[2] = {
        {3, 2, 1, 2, 0, 7, 0, 128, pair_start, pair_columns},
        {2, 2, 1, 1, 0, 7, 0, PAIR_OUTPUT, NULL, NULL},
    };
    const bs4nn_network_t network = {
        "pair", digest, 8, 7, 1, 0, 8, delay, 1, PAIR_WORDS, layers, pair_out,
    };
    uint32_t workspace[PAIR_WORDS];
    uint16_t firing_times[4];
    int32_t potentials[2];
    const bs4nn_trace_t trace = {firing_times, potentials};
    bs4nn_t net;
    bs4nn_result_t result;

    CHECK_EQUAL(bs4nn_init(&net, &network, workspace, sizeof workspace), 0);
    CHECK_EQUAL(bs4nn_trace(&net, pixels, &trace, &result), answer);
    for (int j = 0; j < 4; j++) {
        CHECK_EQUAL(firing_times[j], times[j]);
    }
    CHECK_EQUAL(potentials[0], first);
    CHECK_EQUAL(potentials[1], second);
    CHECK_EQUAL(result.response_time, response_time);
    CHECK_EQUAL(bs4nn_classify(&net, pixels, &result), answer);
    CHECK_EQUAL(result.response_time, response_time);
}

static void test_hidden_layer_without_delay(void)
{
    /* Spikes at steps 1, 3, 5: neuron 0 has 1 2 3 and fires at 3, neuron 1 has 1 0 1 and fires at 1. At step 1
     * both outputs get +1 and fire, output 0 wins the tie by its index; at step 3 they get +1 and -1. */
    const uint8_t pixels[3] = {7, 5, 3};
    const uint16_t times[4] = {3, 1, 1, 1};
    run_pair(0, pixels, times, 2, 0, 0, 1);
}

static void test_hidden_layer_with_a_delay_of_one_step(void)
{
    /* Everything one step later in every layer. */
    const uint8_t pixels[3] = {7, 5, 3};
    const uint16_t times[4] = {4, 2, 3, 3};
    run_pair(1, pixels, times, 2, 0, 0, 3);
}

static void test_black_image_is_silent(void)
{
    const uint8_t pixels[3] = {0, 0, 0};
    const uint16_t times[4] = {8, 8, 8, 8};
    run_pair(0, pixels, times, 0, 0, 0, 8);
    run_pair(1, pixels, times, 0, 0, 0, 8);
}

static void test_crossing_at_the_last_step_is_too_late_with_a_delay(void)
{
    const uint8_t pixels[3] = {1, 0, 0}; /* step 7 of 8 */
    const uint16_t without[4] = {8, 7, 7, 7};
    const uint16_t with[4] = {8, 8, 8, 8};
    run_pair(0, pixels, without, 1, 1, 0, 7);
    run_pair(1, pixels, with, 0, 0, 0, 8);
}

static void test_errors(void)
{
    uint32_t workspace[BOTH_WORDS];
    bs4nn_t net;
    const uint8_t too_bright[2] = {4, 0};
    bs4nn_network_t broken = both;

    CHECK_EQUAL(bs4nn_init(NULL, &both, workspace, sizeof workspace), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_init(&net, NULL, workspace, sizeof workspace), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_init(&net, &both, NULL, sizeof workspace), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_init(&net, &both, workspace, sizeof workspace - 1u), BS4NN_ERROR_WORKSPACE);
    broken.readout_step = 4;
    CHECK_EQUAL(bs4nn_init(&net, &broken, workspace, sizeof workspace), BS4NN_ERROR_NETWORK);
    broken = both;
    broken.workspace_words = 1;
    CHECK_EQUAL(bs4nn_init(&net, &broken, workspace, sizeof workspace), BS4NN_ERROR_NETWORK);
    CHECK_EQUAL(bs4nn_init(&net, &both, workspace, sizeof workspace), 0);
    CHECK_EQUAL(bs4nn_classify(&net, too_bright, NULL), BS4NN_ERROR_PIXEL);
    CHECK_EQUAL(bs4nn_classify(&net, NULL, NULL), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_trace(&net, too_bright, NULL, NULL), BS4NN_ERROR_ARGUMENT);
}

static void test_what_is_null_is_an_error(void)
{
    uint32_t workspace[BOTH_WORDS];
    uint16_t times[1];
    int32_t potentials[1];
    const uint8_t pixels[2] = {3, 3};
    const bs4nn_trace_t no_times = {NULL, potentials};
    const bs4nn_trace_t no_potentials = {times, NULL};
    const bs4nn_trace_t trace = {times, potentials};
    bs4nn_t net;

    CHECK_EQUAL(bs4nn_init(&net, &both, workspace, sizeof workspace), 0);
    CHECK_EQUAL(bs4nn_trace(&net, pixels, &no_times, NULL), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_trace(&net, pixels, &no_potentials, NULL), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_trace(&net, NULL, &trace, NULL), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_trace(NULL, pixels, &trace, NULL), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_classify(NULL, pixels, NULL), BS4NN_ERROR_ARGUMENT);
    CHECK_EQUAL(bs4nn_trace(&net, pixels, &trace, NULL), 0);
    CHECK_EQUAL(bs4nn_inputs(NULL), 0);
    CHECK_EQUAL(bs4nn_neurons(NULL), 0);
}

/* Whoever ignores an error gets another one, whatever the instance was before. */
static void test_a_failed_init_leaves_nothing_to_run(void)
{
    uint32_t workspace[BOTH_WORDS];
    uint16_t times[1];
    int32_t potentials[1];
    const uint8_t pixels[2] = {3, 3};
    const bs4nn_trace_t trace = {times, potentials};
    bs4nn_network_t broken = both;
    const bs4nn_network_t *network[4] = {&both, &broken, NULL, &both};
    uint32_t *memory[4] = {workspace, workspace, workspace, NULL};
    size_t bytes[4] = {4, sizeof workspace, sizeof workspace, sizeof workspace};

    broken.layers = NULL;
    for (int i = 0; i < 4; i++) {
        bs4nn_t net;
        memset(&net, 0xA5, sizeof net);
        CHECK(bs4nn_init(&net, network[i], memory[i], bytes[i]) < 0);
        CHECK_EQUAL(bs4nn_classify(&net, pixels, NULL), BS4NN_ERROR_ARGUMENT);
        CHECK_EQUAL(bs4nn_trace(&net, pixels, &trace, NULL), BS4NN_ERROR_ARGUMENT);
        CHECK_EQUAL(bs4nn_init(&net, &both, workspace, sizeof workspace), 0);
        CHECK(bs4nn_init(&net, network[i], memory[i], bytes[i]) < 0);
        CHECK_EQUAL(bs4nn_classify(&net, pixels, NULL), BS4NN_ERROR_ARGUMENT);
    }
}

static void check_refused(const bs4nn_network_t *network)
{
    uint32_t workspace[PAIR_WORDS];
    bs4nn_t net;
    CHECK_EQUAL(bs4nn_init(&net, network, workspace, sizeof workspace), BS4NN_ERROR_NETWORK);
}

static void test_a_structure_that_would_crash_is_refused(void)
{
    const bs4nn_layer_t right[2] = {
        {3, 2, 1, 2, 0, 7, 0, 128, pair_start, pair_columns},
        {2, 2, 1, 1, 0, 7, 0, PAIR_OUTPUT, NULL, NULL},
    };
    bs4nn_layer_t layers[2];
    bs4nn_network_t network = {"pair", digest, 8, 7, 1, 0, 8, 0, 1, PAIR_WORDS, layers, pair_out};
    uint32_t workspace[PAIR_WORDS];
    bs4nn_t net;

#define REFUSED(change) \
    memcpy(layers, right, sizeof layers); \
    change; \
    check_refused(&network)

    memcpy(layers, right, sizeof layers);
    CHECK_EQUAL(bs4nn_init(&net, &network, workspace, sizeof workspace), 0);
    REFUSED(layers[1].start_planes = 3); /* and no `start` */
    REFUSED(layers[1].spread = 1);
    REFUSED(layers[0].start_planes = 3); /* planes that `spread` does not need */
    REFUSED(layers[0].spread = 1);       /* more than the planes hold */
    REFUSED(layers[0].start_planes = 7; layers[0].spread = 127);
    REFUSED(layers[0].start = (const uint32_t *)((uintptr_t)pair_start + 1u));
    REFUSED(layers[0].columns = NULL);
    REFUSED(layers[0].columns = (const uint32_t *)((uintptr_t)pair_columns + 2u));
    REFUSED(layers[0].neurons = 0);
    REFUSED(layers[0].neurons = 33);
    REFUSED(layers[0].inputs = 0);
    REFUSED(layers[0].words = 2);
    REFUSED(layers[0].state = 0);
    REFUSED(layers[0].planes = 6);
    REFUSED(layers[0].planes = 19);
    REFUSED(layers[0].threshold = 0);
    REFUSED(layers[1].inputs = 3);
    network.rows = NULL;
    REFUSED((void)0);
    network.rows = (const uint16_t *)((uintptr_t)pair_out + 1u);
    REFUSED((void)0);
    network.rows = pair_out;
    network.layers = NULL;
    REFUSED((void)0);
    network.layers = layers;
    network.name = NULL;
    REFUSED((void)0);
    network.name = "pair";
    network.digest = NULL;
    REFUSED((void)0);
    network.digest = digest;
    network.hidden_layers = 255;
    REFUSED((void)0);
#undef REFUSED
}

int main(void)
{
    board_init();
    RUN(test_fires_when_the_second_spike_arrives);
    RUN(test_hidden_layer_without_delay);
    RUN(test_hidden_layer_with_a_delay_of_one_step);
    RUN(test_black_image_is_silent);
    RUN(test_crossing_at_the_last_step_is_too_late_with_a_delay);
    RUN(test_errors);
    RUN(test_what_is_null_is_an_error);
    RUN(test_a_failed_init_leaves_nothing_to_run);
    RUN(test_a_structure_that_would_crash_is_refused);
    CHECK_END();
    return 0;
}
