/* Two generated networks in one firmware, each with its workspace, classifying in turns. */
#include "board.h"
#include "bs4nn.h"
#include "check.h"

/* The generated sources themselves: PlatformIO compiles only this folder and the libraries. */
#include "bs4nn_net_first.c"
#include "bs4nn_net_second.c"

#include "first_expected.h"
#include "second_expected.h"

#define IMAGES 20

static uint32_t first_workspace[BS4NN_NET_FIRST_WORKSPACE_WORDS];
static uint32_t second_workspace[BS4NN_NET_SECOND_WORKSPACE_WORDS];

static void check_classify(bs4nn_t *net, const uint8_t *pixels, const uint32_t *expected)
{
    bs4nn_result_t result;
    CHECK_EQUAL(bs4nn_classify(net, pixels, &result), expected[0]);
    CHECK_EQUAL(result.response_time, expected[1]);
    CHECK_EQUAL(result.spikes, expected[2]);
}

static void test_two_networks_in_turns(void)
{
    bs4nn_t one;
    bs4nn_t two;
    CHECK_EQUAL(bs4nn_init(&one, &bs4nn_net_first, first_workspace, sizeof first_workspace), 0);
    CHECK_EQUAL(bs4nn_init(&two, &bs4nn_net_second, second_workspace, sizeof second_workspace), 0);
    for (int i = 0; i < IMAGES; i++) {
        check_classify(&one, first_images[i], first_expected[i]);
        check_classify(&two, second_images[i], second_expected[i]);
    }
}

static void test_every_firing_time(void)
{
    static uint16_t times[BS4NN_NET_FIRST_NEURONS];
    static int32_t potentials[BS4NN_NET_FIRST_OUTPUTS];
    const bs4nn_trace_t trace = {times, potentials};
    bs4nn_t net;
    CHECK_EQUAL(bs4nn_init(&net, &bs4nn_net_first, first_workspace, sizeof first_workspace), 0);
    for (int i = 0; i < IMAGES; i++) {
        CHECK_EQUAL(bs4nn_trace(&net, first_images[i], &trace, NULL), first_expected[i][0]);
        for (int j = 0; j < BS4NN_NET_FIRST_NEURONS; j++) {
            CHECK_EQUAL(times[j], first_firing_times[i][j]);
        }
    }
}

static void test_sizes(void)
{
    CHECK_EQUAL(bs4nn_inputs(&bs4nn_net_first), BS4NN_NET_FIRST_INPUTS);
    CHECK_EQUAL(bs4nn_neurons(&bs4nn_net_first), BS4NN_NET_FIRST_NEURONS);
    CHECK_EQUAL(bs4nn_inputs(&bs4nn_net_second), BS4NN_NET_SECOND_INPUTS);
    CHECK_EQUAL(bs4nn_neurons(&bs4nn_net_second), BS4NN_NET_SECOND_NEURONS);
    (void)second_firing_times;
}

int main(void)
{
    board_init();
    RUN(test_two_networks_in_turns);
    RUN(test_every_firing_time);
    RUN(test_sizes);
    CHECK_END();
    return 0;
}
