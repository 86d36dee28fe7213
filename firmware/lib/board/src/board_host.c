/* board_host.c - the host: the console is standard input and output. */
#include "board.h"

#if defined(BOARD_PORT_HOST)

#include <stdio.h>
#include <stdlib.h>

#if defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#endif

void board_init(void)
{
#if defined(_WIN32)
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
#endif
}

int board_read(void)
{
    return getchar(); /* EOF is negative */
}

void board_write(const void *bytes, size_t count)
{
    fwrite(bytes, 1, count, stdout);
    fflush(stdout);
}

uint32_t board_lap(void)
{
    return 0;
}

int board_stack_is_whole(void)
{
    return 1; /* the operating system ends a program whose stack is full */
}

void board_exit(int status)
{
    exit(status);
}

#endif
