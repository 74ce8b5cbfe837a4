/** Lets a server that plans beside its other work answer before this goes on. */
export const breathe = (): Promise<void> => new Promise((done) => setImmediate(done))
