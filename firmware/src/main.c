/*
 * main.c - the application: tests itself, then classifies the samples that come over the console.
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
static application_value_t application_sample[APPLICATION_INPUTS];
#if defined(APPLICATION_PUSH)
static application_stream_t application_stream;
#endif
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
 * Self-test sample number `index`: a xorshift generator, so that the samples cost no flash. Each is denser than the one
 * before, from a quarter of the intensities to all of them; or, of signed values, 16 times as large, up to all there are.
 */
static void make_test_sample(uint32_t index)
{
    uint32_t x = (index + 1u) * 0x9E3779B9u;
#if APPLICATION_VALUE_BYTES == 2
    uint32_t shift = 4u * (APPLICATION_SELF_TESTS - 1u - index);
#else
    uint32_t density = (index + 1u) * 256u / APPLICATION_SELF_TESTS;
#endif
    for (uint32_t i = 0; i < APPLICATION_INPUTS; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
#if APPLICATION_VALUE_BYTES == 2
        application_sample[i] = (int16_t)((int32_t)(x >> (16u + shift)) - (int32_t)(0x8000u >> shift));
#else
        uint32_t intensity = ((x >> 8 & 255u) * (APPLICATION_INTENSITY_MAX + 1u)) >> 8;
        application_sample[i] = (uint8_t)((x & 255u) < density ? intensity : 0u);
#endif
    }
}

static int trace(bs4nn_t *net, bs4nn_result_t *result)
{
    const bs4nn_trace_t to = {application_firing_times, application_potentials};
    return APPLICATION_TRACE(net, application_sample, &to, result);
}

/* Number of self-test samples on which both calls give what the reference gave. */
static uint32_t self_test(bs4nn_t *net)
{
    uint32_t equal = 0;
    for (uint32_t i = 0; i < APPLICATION_SELF_TESTS; i++) {
        const application_expected_t *expected = &application_expected[i];
        bs4nn_result_t quick = {0, 0, 0};
        bs4nn_result_t full = {0, 0, 0};
        make_test_sample(i);
        int answer = APPLICATION_CLASSIFY(net, application_sample, &quick);
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

/* Versions, the sample's type, stages, sizes, digest, the network's and the board's name, each with its length before it, and the self-test. */
static void reply_identity(const bs4nn_network_t *network)
{
    const uint8_t facts[4] = {PROTOCOL_VERSION, BS4NN_FORMAT, APPLICATION_VALUE_BYTES, APPLICATION_STAGES};
    const uint32_t counts[2] = {sizeof application_sample, APPLICATION_NEURONS};
    const uint16_t sizes[2] = {APPLICATION_OUTPUTS, network->time_steps};
    const uint8_t name_length = (uint8_t)length_of(network->name);
    const uint8_t board_length = (uint8_t)(sizeof BS4NN_BOARD - 1u);
    uint32_t length = sizeof facts + sizeof counts + sizeof sizes + 32u + 3u + name_length + board_length;
    uint16_t crc = protocol_begin(PROTOCOL_IDENTIFY, length);
    crc = protocol_write(crc, facts, sizeof facts);
    crc = protocol_write(crc, counts, sizeof counts);
    crc = protocol_write(crc, sizes, sizeof sizes);
    crc = protocol_write(crc, network->digest, 32);
    crc = protocol_write(crc, &name_length, 1);
    crc = protocol_write(crc, network->name, name_length);
    crc = protocol_write(crc, &board_length, 1);
    crc = protocol_write(crc, BS4NN_BOARD, board_length);
    crc = protocol_write(crc, &application_self_test, 1);
    protocol_end(crc);
}

/* Begin the reply to a sample with its answer; so many bytes more follow. */
static uint16_t begin_answer(uint8_t kind, const bs4nn_result_t *result, uint32_t more)
{
    const uint16_t answer_and_time[2] = {result->answer, result->response_time};
    uint16_t crc = protocol_begin(kind, sizeof answer_and_time + sizeof result->spikes + more);
    crc = protocol_write(crc, answer_and_time, sizeof answer_and_time);
    return protocol_write(crc, &result->spikes, sizeof result->spikes);
}

static void reply_answer(bs4nn_t *net)
{
    bs4nn_result_t result = {0, 0, 0};
    int answer = APPLICATION_CLASSIFY(net, application_sample, &result);
    if (answer < 0) {
        reply_error(answer);
        return;
    }
    protocol_end(begin_answer(PROTOCOL_CLASSIFY, &result, 0));
}

/* Everything that has led to the answer: checksums of what comes out of each input stage, too. */
static void reply_trace(bs4nn_t *net)
{
    bs4nn_result_t result = {0, 0, 0};
    uint16_t checksums[APPLICATION_STAGES + 1u]; /* one more than there are, for there may be none */
    const uint32_t checksums_bytes = APPLICATION_STAGES * sizeof checksums[0];
#if APPLICATION_STAGES > 0
    for (uint32_t i = 0; i < APPLICATION_STAGES; i++) {
        const void *values = APPLICATION_AFTER_STAGES(net, application_sample, i + 1u);
        checksums[i] = protocol_crc(0xFFFF, values, application_stage_bytes[i]);
    }
#endif
    int answer = trace(net, &result);
    if (answer < 0) {
        reply_error(answer);
        return;
    }
    uint32_t more = sizeof application_firing_times + sizeof application_potentials + checksums_bytes;
    uint16_t crc = begin_answer(PROTOCOL_TRACE, &result, more);
    crc = protocol_write(crc, application_firing_times, sizeof application_firing_times);
    crc = protocol_write(crc, application_potentials, sizeof application_potentials);
    protocol_end(protocol_write(crc, checksums, checksums_bytes));
}

/* Classify, and tell how many ticks of the board's clock that took: 0 without a counter, UINT32_MAX if it
 * took longer than the counter reaches. */
static void reply_profile(bs4nn_t *net)
{
    bs4nn_result_t result = {0, 0, 0};
    (void)board_lap();
    uint32_t empty = board_lap(); /* what the measuring itself takes */
    (void)board_lap();
    int answer = APPLICATION_CLASSIFY(net, application_sample, &result);
    uint32_t ticks = board_lap();
    if (ticks != BOARD_LAP_TOO_LONG) { /* a clock that is no processor's may say less than for nothing */
        ticks = ticks > empty ? ticks - empty : 0u;
    }
    if (answer < 0) {
        reply_error(answer);
        return;
    }
    uint16_t crc = begin_answer(PROTOCOL_PROFILE, &result, sizeof ticks);
    protocol_end(protocol_write(crc, &ticks, sizeof ticks));
}

#if defined(APPLICATION_PUSH)
/* Add a step to the stream, or begin it anew where there is none: an answer comes with every so many steps. */
static void reply_push(bs4nn_t *net, uint32_t length)
{
    bs4nn_result_t result = {0, 0, 0};
    int pushed = 0;
    if (length == 0u) {
        APPLICATION_STREAM_INIT(&application_stream);
    } else if (length == APPLICATION_STEP_VALUES * sizeof application_sample[0]) {
        pushed = APPLICATION_PUSH(&application_stream, net, application_sample, &result);
    } else {
        reply_error(PROTOCOL_WRONG_LENGTH);
        return;
    }
    if (pushed < 0) {
        reply_error(pushed);
    } else {
        protocol_end(pushed ? begin_answer(PROTOCOL_PUSH, &result, 0) : protocol_begin(PROTOCOL_PUSH, 0));
    }
}
#endif

/* Boards without a sensor; a function of this name in another file takes the place of this one. */
__attribute__((weak)) int application_read_sample(application_value_t *sample)
{
    (void)sample;
    return -1;
}

/* A sample for whoever collects them: the one that a LOAD frame has left, else a new one of the sensor. */
static void reply_sample(int loaded)
{
    if (!loaded && application_read_sample(application_sample) != 0) {
        reply_error(PROTOCOL_NO_SENSOR);
        return;
    }
    uint16_t crc = protocol_begin(PROTOCOL_SAMPLE, sizeof application_sample);
    protocol_end(protocol_write(crc, application_sample, sizeof application_sample));
}

static int takes_sample(uint8_t kind)
{
    return kind == PROTOCOL_CLASSIFY || kind == PROTOCOL_TRACE || kind == PROTOCOL_PROFILE || kind == PROTOCOL_LOAD;
}

static int is_load(const protocol_frame_t *frame)
{
    return frame->kind == PROTOCOL_LOAD && frame->length == sizeof application_sample;
}

/* Answer a frame that has come whole. */
static void reply(bs4nn_t *net, const protocol_frame_t *frame, int loaded)
{
    if (frame->kind == PROTOCOL_IDENTIFY) {
        reply_identity(net->network);
#if defined(APPLICATION_PUSH)
    } else if (frame->kind == PROTOCOL_PUSH) {
        reply_push(net, frame->length);
#endif
    } else if (frame->kind != PROTOCOL_SAMPLE && !takes_sample(frame->kind)) {
        reply_error(PROTOCOL_UNKNOWN_KIND);
    } else if (frame->length != (takes_sample(frame->kind) ? sizeof application_sample : 0u)) {
        reply_error(PROTOCOL_WRONG_LENGTH);
    } else if (frame->kind == PROTOCOL_PROFILE) {
        reply_profile(net);
    } else if (frame->kind == PROTOCOL_CLASSIFY) {
        reply_answer(net);
    } else if (frame->kind == PROTOCOL_TRACE) {
        reply_trace(net);
    } else if (frame->kind == PROTOCOL_SAMPLE) {
        reply_sample(loaded);
    } else {
        protocol_end(protocol_begin(PROTOCOL_LOAD, 0));
    }
}

/* Answer frames until the stream ends. */
static void serve(bs4nn_t *net)
{
    int loaded = 0; /* a LOAD frame's sample is still there */
    for (;;) {
        protocol_frame_t frame = {0, 0};
        int error = protocol_receive(&frame, (uint8_t *)application_sample, sizeof application_sample);
        if (error == PROTOCOL_END) {
            return;
        }
        if (error != 0) {
            reply_error(error);
        } else {
            reply(net, &frame, loaded);
        }
        /* Whatever else has brought bytes, whole or damaged, has overwritten it. */
        loaded = error == 0 && (frame.length == 0 ? loaded : is_load(&frame));
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
    if (APPLICATION_INIT(&net, application_workspace, sizeof application_workspace) != 0) {
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
