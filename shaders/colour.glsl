// Colours are BGR here, as in the picture's memory, and encoded with a power of 2.2 (core/reference.py says why).
const float GAMMA = 2.2;

float luma(vec3 bgr) {
    return dot(bgr, vec3(0.0722, 0.7152, 0.2126));
}

float brightest(vec3 v) {
    return max(v.x, max(v.y, v.z));
}

// Factor that rolls added light off toward white; 1 where none was added (core/reference.py: shoulder).
float shoulder(vec3 before, vec3 after) {
    float least = min(brightest(before), 1.0);
    float most = brightest(after);
    float added = max(most - least, 0.0);
    float room = max(1.0 - least, 1e-3);
    float r2 = room * room, a2 = added * added;
    float kept = room * added * inversesqrt(sqrt(r2 * r2 + a2 * a2));
    return 1.0 - (added - kept) / max(most, 1e-3);
}
