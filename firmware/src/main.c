/*
 * main.c - the application: tests itself, then classifies the images that come over the console.
 *
 * application.h and application.c are generated and say which network. Everything here is the same
 * for all networks and boards: yours to change, or to replace by your own.
 */
#include "application.h"
#include "board.h"
#include "bs4nn.h"
#include "protocol.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "replies are sent as they lie in memory, and that has to be little-endian"
#endif

#ifndef BS4NN_BOARD
#define BS4NN_BOARD "unknown board"
#endif

/* The caller's memory, each with its exact size. `bs4nn-tc build` finds them by name in the ELF. */
static uint32_t application_workspace[APPLICATION_WORKSPACE_WORDS];
static uint8_t application_pixels[APPLICATION_INPUTS]; /* first the sample */
static uint16_t application_firing_times[APPLICATION_NEURONS];
static int32_t application_potentials[APPLICATION_OUTPUTS];

/* 1 where the self-test found what the reference answers, else 0: whoever asks who is there is told. */
static uint8_t application_self_test;

static const char STACK_OVERFLOW[] = "bs4nn: the stack has grown over its end: nothing from here can be believed\r\n";

/* Nothing here is of a C library: not every tool chain for bare boards has one. */
static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static void put_text(const char *text)
{
    board_write(text, length_of(text));
}

/* ---- Self-test ---- */

/*
 * Self-test image number `index`: a xorshift generator, so that the images cost no flash. Each is
 * denser than the one before, from an eighth of the pixels to all of them.
 */
static void make_test_image(uint32_t index)
{
    uint32_t x = (index + 1u) * 0x9E3779B9u;
    uint32_t density = (index + 1u) * 256u / APPLICATION_SELF_TESTS;
    for (uint32_t i = 0; i < APPLICATION_INPUTS; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        uint32_t intensity = ((x >> 8 & 255u) * (APPLICATION_INTENSITY_MAX + 1u)) >> 8;
        application_pixels[i] = (uint8_t)((x & 255u) < density ? intensity : 0u);
    }
}

/* Make pixels of the sample in application_pixels, where it lies; without input stages the sample is the pixels. */
static void prepare(void)
{
#if defined(APPLICATION_PREPARE)
    APPLICATION_PREPARE(application_pixels);
#endif
}

static int trace(bs4nn_t *net, bs4nn_result_t *result)
{
    const bs4nn_trace_t to = {application_firing_times, application_potentials};
    return bs4nn_trace(net, application_pixels, &to, result);
}

/* Number of self-test images on which both calls of the kernel give what the reference gave. */
static uint32_t self_test(bs4nn_t *net)
{
    uint32_t equal = 0;
    for (uint32_t i = 0; i < APPLICATION_SELF_TESTS; i++) {
        const application_expected_t *expected = &application_expected[i];
        bs4nn_result_t quick = {0, 0, 0};
        bs4nn_result_t full = {0, 0, 0};
        make_test_image(i);
        prepare();
        int answer = bs4nn_classify(net, application_pixels, &quick);
        int traced = trace(net, &full);
        uint16_t checksum = protocol_crc(0xFFFF, application_firing_times, sizeof application_firing_times);
        checksum = protocol_crc(checksum, application_potentials, sizeof application_potentials);
        equal += answer == expected->answer && traced == answer && quick.response_time == expected->response_time
            && full.response_time == expected->response_time && quick.spikes == expected->spikes
            && full.spikes == expected->spikes && checksum == expected->checksum;
    }
    return equal;
}

/* ---- Replies ---- */

static void reply_error(int code)
{
    int8_t byte = (int8_t)code;
    protocol_end(protocol_write(protocol_begin(PROTOCOL_ERROR, 1), &byte, 1));
}

/* Versions, sizes, digest, the network's and the board's name, each with its length before it, and the self-test. */
static void reply_identity(const bs4nn_network_t *network)
{
    const uint8_t versions[2] = {PROTOCOL_VERSION, BS4NN_FORMAT};
    const uint16_t sizes[3] = {APPLICATION_INPUTS, APPLICATION_OUTPUTS, network->time_steps};
    const uint32_t neurons = APPLICATION_NEURONS;
    const uint8_t name_length = (uint8_t)length_of(network->name);
    const uint8_t board_length = (uint8_t)(sizeof BS4NN_BOARD - 1u);
    uint32_t length = sizeof versions + sizeof sizes + sizeof neurons + 32u + 3u + name_length + board_length;
    uint16_t crc = protocol_begin(PROTOCOL_IDENTIFY, length);
    crc = protocol_write(crc, versions, sizeof versions);
    crc = protocol_write(crc, sizes, sizeof sizes);
    crc = protocol_write(crc, &neurons, sizeof neurons);
    crc = protocol_write(crc, network->digest, 32);
    crc = protocol_write(crc, &name_length, 1);
    crc = protocol_write(crc, network->name, name_length);
    crc = protocol_write(crc, &board_length, 1);
    crc = protocol_write(crc, BS4NN_BOARD, board_length);
    crc = protocol_write(crc, &application_self_test, 1);
    protocol_end(crc);
}

static void reply_result(uint8_t kind, int answer, const bs4nn_result_t *result)
{
    if (answer < 0) {
        reply_error(answer);
        return;
    }
    const uint16_t answer_and_time[2] = {result->answer, result->response_time};
    uint32_t length = sizeof answer_and_time + sizeof result->spikes;
    if (kind == PROTOCOL_TRACE) {
        length += sizeof application_firing_times + sizeof application_potentials;
    }
    uint16_t crc = protocol_begin(kind, length);
    crc = protocol_write(crc, answer_and_time, sizeof answer_and_time);
    crc = protocol_write(crc, &result->spikes, sizeof result->spikes);
    if (kind == PROTOCOL_TRACE) {
        crc = protocol_write(crc, application_firing_times, sizeof application_firing_times);
        crc = protocol_write(crc, application_potentials, sizeof application_potentials);
    }
    protocol_end(crc);
}

/* Classify, and tell how many ticks of the board's clock that took: 0 without a counter, UINT32_MAX if it
 * took longer than the counter reaches. */
static void reply_profile(bs4nn_t *net)
{
    bs4nn_result_t result = {0, 0, 0};
    (void)board_lap();
    uint32_t empty = board_lap(); /* what the measuring itself takes */
    (void)board_lap();
    prepare();
    int answer = bs4nn_classify(net, application_pixels, &result);
    uint32_t ticks = board_lap();
    if (ticks != BOARD_LAP_TOO_LONG) { /* a clock that is no processor's may say less than for nothing */
        ticks = ticks > empty ? ticks - empty : 0u;
    }
    if (answer < 0) {
        reply_error(answer);
        return;
    }
    const uint16_t answer_and_time[2] = {result.answer, result.response_time};
    const uint32_t spikes_and_ticks[2] = {result.spikes, ticks};
    uint16_t crc = protocol_begin(PROTOCOL_PROFILE, sizeof answer_and_time + sizeof spikes_and_ticks);
    crc = protocol_write(crc, answer_and_time, sizeof answer_and_time);
    crc = protocol_write(crc, spikes_and_ticks, sizeof spikes_and_ticks);
    protocol_end(crc);
}

static int takes_pixels(uint8_t kind)
{
    return kind == PROTOCOL_CLASSIFY || kind == PROTOCOL_TRACE || kind == PROTOCOL_PROFILE;
}

/* Answer frames until the stream ends. */
static void serve(bs4nn_t *net)
{
    for (;;) {
        protocol_frame_t frame = {0, 0};
        bs4nn_result_t result = {0, 0, 0};
        int error = protocol_receive(&frame, application_pixels, sizeof application_pixels);
        if (error == PROTOCOL_END) {
            return;
        }
        if (error != 0) {
            reply_error(error);
        } else if (frame.kind == PROTOCOL_IDENTIFY) {
            reply_identity(net->network);
        } else if (!takes_pixels(frame.kind)) {
            reply_error(PROTOCOL_UNKNOWN_KIND);
        } else if (frame.length != sizeof application_pixels) {
            reply_error(PROTOCOL_WRONG_LENGTH);
        } else if (frame.kind == PROTOCOL_PROFILE) {
            reply_profile(net);
        } else if (frame.kind == PROTOCOL_CLASSIFY) {
            prepare();
            reply_result(frame.kind, bs4nn_classify(net, application_pixels, &result), &result);
        } else {
            prepare();
            reply_result(frame.kind, trace(net, &result), &result);
        }
        if (!board_stack_is_whole()) {
            put_text(STACK_OVERFLOW);
            reply_error(PROTOCOL_STACK);
            return;
        }
    }
}

static int application(void)
{
    bs4nn_t net;
    board_init();
    put_text("bs4nn: " APPLICATION_NAME " (" APPLICATION_SHAPE ") on " BS4NN_BOARD "\r\n");
    if (bs4nn_init(&net, application_network, application_workspace, sizeof application_workspace) != 0) {
        put_text("bs4nn: the network and the library do not fit together\r\n");
        return 1;
    }
    application_self_test = self_test(&net) == APPLICATION_SELF_TESTS;
    put_text(application_self_test ? "bs4nn: self-test passed\r\n" : "bs4nn: self-test FAILED\r\n");
    if (!board_stack_is_whole()) {
        put_text(STACK_OVERFLOW);
        reply_error(PROTOCOL_STACK);
        return 1;
    }
    reply_identity(net.network); /* tells a waiting host that the console is ready */
    serve(&net);
    return application_self_test && board_stack_is_whole() ? 0 : 1;
}

#if defined(ARDUINO)
void setup(void)
{
    board_exit(application());
}

void loop(void)
{
}
#else
int main(void)
{
    board_exit(application());
    return 0;
}
#endif
