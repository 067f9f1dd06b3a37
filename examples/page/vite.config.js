// The page is served under a Content-Security-Policy without inline scripts and styles; nothing is fetched from elsewhere.
export default {
  base: '/',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
  },
  logLevel: 'warn',
  // `npm run dev` with a hearth serve at the usual port.
  server: { proxy: { '/v1': 'http://127.0.0.1:11434', '/hearth': 'http://127.0.0.1:11434' } },
};
