#version 330
// How far the luma is from what is remembered: its mean along each row. With COLUMN: the mean distance of that
// from its own mean over the picture, which a change of exposure does not move and a cut does.
uniform sampler2D seen;
uniform sampler2D old_rest;   // x alpha, y luma, z shading, as remembered
#ifdef COLUMN
flat in float mean;
#endif
out float change;

void main() {
    int y = int(gl_FragCoord.y), columns = textureSize(seen, 0).x;
    change = 0.0;
    for (int x = 0; x < columns; ++x) {
        float d = texelFetch(seen, ivec2(x, y), 0).x - texelFetch(old_rest, ivec2(x, y), 0).y;
#ifdef COLUMN
        d = abs(d - mean);
#endif
        change += d;
    }
    change /= float(columns);
}
