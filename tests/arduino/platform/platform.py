from platformio.platform.base import PlatformBase


class StandinPlatform(PlatformBase):
    pass
