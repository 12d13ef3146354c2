// Hair: textured strips or procedural strands. aux.x = how dense, aux.y: 0 a mesh with its own uv (textured or
// not), 1 a volume whose uv are metres across and along the strands, 2 a ribbon (metres across, 0..1 along).
// Edges are dithered strand by strand so that averaging makes them soft.
uniform sampler2D diffuse;
uniform float textured;  // 1: the texture has colour and alpha; 0: procedural strands
uniform vec3 hair;
uniform vec3 tips;
uniform float streak;    // frequency of procedural strands along uv of meshes without a texture
uniform float thin;      // 0 solid .. 1 sparse at the edge mask aux.x
void main() {
    float dither = hash(gl_FragCoord.xy);
    float mesh = step(aux.y, 0.5), ribbon = step(1.5, aux.y);
    float across = mesh > 0.5 ? uv.x * streak * 0.012 : uv.x;
    float along = mesh > 0.5 ? uv.y * 0.2 : uv.y * mix(1.0, 0.08, ribbon);
    float fine = noise(vec3(across * 780.0, along * 14.0, rest.y * 9.0));
    vec4 wide = noise4(vec3(across * 210.0, along * 9.0, rest.y * 14.0));
    float lock = wide.r;
    vec4 t = texture(diffuse, uv);
    float shade = 0.42 + 0.75 * fine + 0.35 * (lock - 0.5);
    if (mesh * textured > 0.5) {
        if (t.a < 0.18 + 0.5 * dither) discard;
        float grey = dot(t.rgb, vec3(0.333));
        shade = 0.3 + 1.5 * grey + 0.35 * (fine - 0.5);
    } else if (ribbon > 0.5) {
        float keep = aux.x * (1.05 - 0.85 * uv.y * uv.y) - 0.25 * dither;
        if (0.25 + 0.6 * fine + 0.35 * (lock - 0.5) > keep) discard;
        shade *= 0.75 + 0.4 * uv.y;
    } else {
        if (aux.x < 0.98 && aux.x < 0.25 * thin + 0.5 * fine + 0.3 * dither) discard;
    }
    float clump = wide.g;
    vec3 base = mix(hair, tips, clamp((0.80 - rest.y) * 3.0 + 0.5 * clump - 0.3, 0.0, 1.0));
    base /= 1.0 + 0.55 * dot(base, vec3(0.333));
    // The bump tilts along the gradient of the strand coordinate: highlights break up into strands.
    vec3 slope = dFdx(camera) * dFdx(across) + dFdy(camera) * dFdy(across);
    slope *= inversesqrt(max(dot(slope, slope), 1e-20));
    vec3 n = normalize(normal) + slope * (1.1 * (fine - 0.5) + 0.9 * (lock - 0.5));
    put(base * shade * (0.72 + 0.5 * clump), 0.10 + 0.35 * fine * fine, n, label, 2.0);
}
