// FreeType as C can include it.
#pragma once
#include <ft2build.h>
#include FT_FREETYPE_H
