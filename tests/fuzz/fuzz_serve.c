/*
 * fuzz_serve.c - the application's protocol under a fuzzer: every input is a stream of bytes from the host.
 *
 * With clang: a libFuzzer target (make fuzz). With -DREPLAY: a program that runs the files named as arguments, for
 * the corpus as a regression test. Either way the sanitizers watch, and every reply is checked: whole frames
 * with right checksums, and text for people between them.
 */
#define main application_main
#include "../../firmware/src/main.c"
#undef main

#include <stdio.h>
#include <stdlib.h>

/* ---- The board: its console is in memory ---- */

static const uint8_t *input;
static size_t input_left;
static uint8_t output[1 << 20];
static size_t output_count;

void board_init(void)
{
}

int board_read(void)
{
    if (input_left == 0) {
        return -1;
    }
    input_left--;
    return *input++;
}

void board_write(const void *bytes, size_t count)
{
    if (count <= sizeof output - output_count) {
        memcpy(output + output_count, bytes, count);
        output_count += count;
    } else {
        output_count = sizeof output; /* more than is looked at */
    }
}

uint32_t board_lap(void)
{
    return 0;
}

int board_stack_is_whole(void)
{
    return 1; /* the sanitizers look after it */
}

void board_exit(int status)
{
    exit(status);
}

/* ---- The checks ---- */

static void check_replies(void)
{
    size_t at = 0;
    while (at < output_count && output_count < sizeof output) {
        if (output_count - at < 8 || output[at] != PROTOCOL_START) {
            abort();
        }
        size_t length = (size_t)output[at + 2] | (size_t)output[at + 3] << 8 | (size_t)output[at + 4] << 16;
        if (output_count - at < 8 + length) {
            abort();
        }
        uint16_t crc = protocol_crc(0xFFFF, output + at + 1, (uint32_t)(5 + length));
        if (output[at + 6 + length] != (crc & 0xFFu) || output[at + 7 + length] != crc >> 8) {
            abort();
        }
        at += 8 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    bs4nn_t net;
    if (APPLICATION_INIT(&net, application_workspace, sizeof application_workspace) != 0) {
        abort();
    }
    input = bytes;
    input_left = count;
    output_count = 0;
    serve(&net);
    check_replies();

    /* Whatever came before, a frame of its own is answered once the garbage has run out. */
    static const uint8_t identify[8] = {PROTOCOL_START, PROTOCOL_IDENTIFY, 0, 0, 0, 0, 0, 0};
    uint8_t again[8];
    uint16_t crc = protocol_crc(0xFFFF, identify + 1, 5);
    memcpy(again, identify, sizeof again);
    again[6] = (uint8_t)crc;
    again[7] = (uint8_t)(crc >> 8);
    input = again;
    input_left = sizeof again;
    output_count = 0;
    serve(&net);
    if (output_count < 8 || output[1] != PROTOCOL_IDENTIFY) {
        abort();
    }
    return 0;
}

#if defined(REPLAY)
int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 20];
    for (int k = 1; k < argc; k++) {
        FILE *file = fopen(argv[k], "rb");
        if (file == NULL) {
            return 1;
        }
        size_t count = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        LLVMFuzzerTestOneInput(bytes, count);
    }
    printf("%d inputs replayed\n", argc - 1);
    return 0;
}
#endif
