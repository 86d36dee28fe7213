/* protocol.c - see protocol.h. */
#include "protocol.h"

#include "board.h"

uint16_t protocol_crc(uint16_t crc, const void *bytes, uint32_t count)
{
    const uint8_t *byte = bytes;
    uint32_t value = crc;
    for (uint32_t i = 0; i < count; i++) { /* one byte without a table */
        value = ((value >> 8) | (value << 8)) & 0xFFFFu;
        value ^= byte[i];
        value ^= (value & 0xFFu) >> 4;
        value ^= (value << 12) & 0xFFFFu;
        value ^= (value & 0xFFu) << 5;
    }
    return (uint16_t)value;
}

/* Read `count` bytes. Returns 0 or PROTOCOL_END. */
static int read_bytes(uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int byte = board_read();
        if (byte < 0) {
            return PROTOCOL_END;
        }
        bytes[i] = (uint8_t)byte;
    }
    return 0;
}

int protocol_receive(protocol_frame_t *frame, uint8_t *payload, uint32_t capacity)
{
    uint8_t header[5];
    uint8_t sent[2];
    int byte;

    do {
        byte = board_read();
        if (byte < 0) {
            return PROTOCOL_END;
        }
    } while (byte != PROTOCOL_START);
    if (read_bytes(header, sizeof header) != 0) {
        return PROTOCOL_END;
    }
    frame->kind = header[0];
    frame->length = (uint32_t)header[1] | (uint32_t)header[2] << 8 | (uint32_t)header[3] << 16 | (uint32_t)header[4] << 24;
    if (frame->length > capacity) {
        return PROTOCOL_TOO_LONG;
    }
    if (read_bytes(payload, frame->length) != 0 || read_bytes(sent, sizeof sent) != 0) {
        return PROTOCOL_END;
    }
    uint16_t crc = protocol_crc(protocol_crc(0xFFFF, header, sizeof header), payload, frame->length);
    return sent[0] == (crc & 0xFFu) && sent[1] == crc >> 8 ? 0 : PROTOCOL_BAD_CHECKSUM;
}

uint16_t protocol_begin(uint8_t kind, uint32_t length)
{
    const uint8_t start = PROTOCOL_START;
    const uint8_t header[5] = {
        kind, (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), (uint8_t)(length >> 24),
    };
    board_write(&start, 1);
    return protocol_write(0xFFFF, header, sizeof header);
}

uint16_t protocol_write(uint16_t crc, const void *bytes, uint32_t count)
{
    board_write(bytes, count);
    return protocol_crc(crc, bytes, count);
}

void protocol_end(uint16_t crc)
{
    const uint8_t sent[2] = {(uint8_t)crc, (uint8_t)(crc >> 8)};
    board_write(sent, sizeof sent);
}
